"""The frames that a client may send, and what it is told about all others."""

import json
import re
from urllib.parse import parse_qs
from uuid import UUID

from django.conf import settings

MAX_FRAME_SIZE = 4096  # bytes
MAX_MESSAGE_LENGTH = 200  # characters
UNSENDABLE = re.compile(
    "[\x00\ud800-\udfff]"
)  # NUL and half characters: not every store takes them

UNAVAILABLE = 4503  # close codes from 4000 on are the application's own; 503 is HTTP's word for it
FORBIDDEN = 4403


class FrameError(Exception):
    """A frame that can't be used: `code` for programs, the text for people."""

    def __init__(self, code, text):
        super().__init__(text)
        self.code = code

    def as_frame(self):
        """Return the frame that tells the client."""
        return {"msg_type": settings.MSG_TYPE_ERROR, "code": self.code, "message": str(self)}


def read_frame(text_data):
    """Return the object in the text of a frame; None stands for a binary frame.

    Raises FrameError: `bad_frame`, `too_long` or `bad_json`.
    """
    if text_data is None:
        raise FrameError("bad_frame", "Send text, not binary data.")
    if len(text_data.encode()) > MAX_FRAME_SIZE:
        raise FrameError("too_long", f"Send at most {MAX_FRAME_SIZE} bytes in a frame.")
    try:
        content = json.loads(text_data)
    except (ValueError, RecursionError):
        raise FrameError("bad_json", 'Send JSON, such as {"message": "hi"}.') from None
    if not isinstance(content, dict):
        raise FrameError("bad_frame", 'Send a JSON object, such as {"message": "hi"}.')
    return content


def read_message(content):
    """Return the message in the object of a frame.

    Raises FrameError: `bad_frame`, `blank` or `too_long`.
    """
    message = content.get("message")
    if not isinstance(message, str):
        raise FrameError("bad_frame", 'Send the text as "message".')
    if not message.strip():
        raise FrameError("blank", "Write something first.")
    if len(message) > MAX_MESSAGE_LENGTH:
        raise FrameError("too_long", f"Send at most {MAX_MESSAGE_LENGTH} characters.")
    if UNSENDABLE.search(message):
        raise FrameError("bad_frame", "Leave out NUL and half characters.")
    return message


def read_client_id(content):
    """Return the UUID that the client has given to its message, None if it has given none.

    Raises FrameError: `bad_frame`.
    """
    client_id = content.get("client_id")
    if client_id is None:
        return None
    try:
        if client_id == str(UUID(client_id)):
            return UUID(client_id)
    except (AttributeError, TypeError, ValueError):
        pass
    raise FrameError("bad_frame", 'Send a UUID in small letters as "client_id", or none.')


def read_sync(content):
    """Return the number of the last alert that the client has, from its request for the rest.

    Raises FrameError: `bad_frame`.
    """
    seq = content["sync"]
    if type(seq) is not int or seq < 0:
        raise FrameError("bad_frame", 'Send the number of your last message as "sync".')
    return seq


def read_after(query_string, default):
    """Return the number `after` in the query string, which is bytes, or `default` if it has none.

    Raises FrameError: `bad_frame`.
    """
    values = parse_qs(query_string.decode("latin1"), keep_blank_values=True).get("after")
    if values is None:
        return default
    if not re.fullmatch("[0-9]{1,100}", values[-1]):
        raise FrameError("bad_frame", "Put the number of your last message into ?after=.")
    return int(values[-1])
