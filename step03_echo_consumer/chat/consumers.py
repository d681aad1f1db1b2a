"""The WebSocket side of the rooms."""

import json
import logging

from channels.generic.websocket import WebsocketConsumer

from .frames import FrameError, read_frame, read_message

logger = logging.getLogger(__name__)


class ChatConsumer(WebsocketConsumer):
    """Send every message of a member of the room back to the socket that it came from."""

    def connect(self):
        self.user = self.scope["user"]
        self.room = self.get_room()
        if self.room is None:
            self.close()  # not accepted yet: the client gets HTTP 403
            return
        self.accept()
        logger.info("%r joined %r", str(self.user), str(self.room))

    def get_room(self):
        """Return the room of the address if the user may be in it, else None."""
        if not self.user.is_authenticated:
            return None
        room_id = self.scope["url_route"]["kwargs"]["room_id"]
        return self.user.rooms_joined.filter(pk=room_id).first()

    def receive(self, text_data=None, bytes_data=None):
        try:
            message = read_message(read_frame(text_data))
        except FrameError as error:
            self.send(text_data=json.dumps(error.as_frame()))
            return
        self.send(text_data=json.dumps({"message": message}))

    def disconnect(self, code):
        if self.room is not None:  # called for refused sockets too
            logger.info("%r left %r (code %s)", str(self.user), str(self.room), code)
