"""The WebSocket side of the rooms."""

import json
import logging

from channels.generic.websocket import AsyncWebsocketConsumer

from .frames import FrameError, parse_frame, parse_message

logger = logging.getLogger(__name__)


class ChatConsumer(AsyncWebsocketConsumer):
    """Echo what a member of the room sends."""

    async def connect(self):
        self.user = self.scope["user"]
        self.room = await self.get_room()
        if self.room is None:
            await self.close()  # before accept(): the client gets HTTP 403
            return
        await self.accept()
        logger.info("%r joined %r", str(self.user), str(self.room))

    async def get_room(self):
        """Return the room in the URL if the user is a member, else None."""
        if not self.user.is_authenticated:
            return None
        room_id = self.scope["url_route"]["kwargs"]["room_id"]
        return await self.user.rooms_joined.filter(pk=room_id).afirst()

    async def receive(self, text_data=None, bytes_data=None):
        try:
            await self.receive_message(parse_frame(text_data))
        except FrameError as error:
            await self.send_frame(error.as_frame())

    async def receive_message(self, frame):
        await self.send_frame({"message": parse_message(frame)})

    async def send_frame(self, frame):
        """Send a frame, a dict, as JSON."""
        await self.send(text_data=json.dumps(frame))

    async def disconnect(self, code):
        if self.room is not None:  # Channels calls this for refused sockets too
            logger.info("%r left %r (code %s)", str(self.user), str(self.room), code)
