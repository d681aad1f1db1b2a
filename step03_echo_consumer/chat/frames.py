"""The frames that a client may send, and the answer to any other."""

import json

from django.core.exceptions import ValidationError

from alert.models import Alert

MSG_TYPE_ERROR = "error"

MAX_FRAME_SIZE = 4096  # bytes


class FrameError(Exception):
    """A frame that the server refuses: `code` is for programs, the text for people."""

    def __init__(self, code, text):
        super().__init__(text)
        self.code = code

    def as_frame(self):
        """Return the frame that tells the client."""
        return {"msg_type": MSG_TYPE_ERROR, "code": self.code, "message": str(self)}


def parse_frame(text_data):
    """Return the JSON object in the text of a frame; None stands for a binary frame.

    Raises FrameError: `bad_frame`, `too_long` or `bad_json`.
    """
    if text_data is None:
        raise FrameError("bad_frame", "Send text, not binary data.")
    if len(text_data.encode()) > MAX_FRAME_SIZE:
        raise FrameError("too_long", f"Send at most {MAX_FRAME_SIZE} bytes in a frame.")
    try:
        frame = json.loads(text_data)
    except (ValueError, RecursionError):
        raise FrameError("bad_json", 'Send JSON, such as {"message": "hi"}.') from None
    if not isinstance(frame, dict):
        raise FrameError("bad_frame", 'Send a JSON object, such as {"message": "hi"}.')
    return frame


def parse_message(frame):
    """Return the message in a frame; the rules are those of an alert's content.

    Raises FrameError: `bad_frame`, `blank` or `too_long`.
    """
    message = frame.get("message")
    if not isinstance(message, str):
        raise FrameError("bad_frame", 'Send the text as "message".')
    try:
        return Alert._meta.get_field("content").clean(message, None)
    except ValidationError as invalid:
        error = invalid.error_list[0]
    code = {"blank": "blank", "max_length": "too_long"}.get(error.code, "bad_frame")
    raise FrameError(code, error.messages[0])
