"""The WebSocket side of the rooms."""

import json
import logging

from channels.generic.websocket import AsyncWebsocketConsumer

from .frames import FrameError, parse_frame, parse_message

logger = logging.getLogger(__name__)

MSG_TYPE_MESSAGE = "message"
MSG_TYPE_NOTICE = "notice"


class ChatConsumer(AsyncWebsocketConsumer):
    """Send what a member of the room sends to everyone who is connected to it."""

    async def connect(self):
        self.user = self.scope["user"]
        self.room = await self.get_room()
        if self.room is None:
            await self.close()  # before accept(): the client gets HTTP 403
            return
        await self.channel_layer.group_add(self.room.group_name, self.channel_name)
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
        event = {
            "type": "chat_message",
            "room_id": self.room.pk,
            "username": self.user.get_username(),
            "message": parse_message(frame),
        }
        await self.channel_layer.group_send(self.room.group_name, event)

    async def chat_message(self, event):
        """Send a member's message to the client."""
        await self.send_frame(
            {
                "msg_type": MSG_TYPE_MESSAGE,
                "room_id": event["room_id"],
                "username": event["username"],
                "message": event["message"],
            }
        )

    async def chat_notice(self, event):
        """Send a notice from the server to the client."""
        await self.send_frame(
            {
                "msg_type": MSG_TYPE_NOTICE,
                "room_id": event["room_id"],
                "message": event["message"],
            }
        )

    async def send_frame(self, frame):
        """Send a frame, a dict, as JSON."""
        await self.send(text_data=json.dumps(frame))

    async def disconnect(self, code):
        if self.room is not None:  # Channels calls this for refused sockets too
            await self.channel_layer.group_discard(self.room.group_name, self.channel_name)
            logger.info("%r left %r (code %s)", str(self.user), str(self.room), code)
