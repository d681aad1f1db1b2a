"""The WebSocket side of the rooms."""

import logging

from channels.generic.websocket import AsyncJsonWebsocketConsumer
from django.conf import settings

from .frames import FrameError, read_frame, read_message

logger = logging.getLogger(__name__)


class ChatConsumer(AsyncJsonWebsocketConsumer):
    """Send every message of a member of the room to everybody who is connected to the room."""

    async def connect(self):
        self.user = self.scope["user"]
        self.room = await self.get_room()
        if self.room is None:
            await self.close()  # not accepted yet: the client gets HTTP 403
            return
        await self.channel_layer.group_add(self.room.group_name, self.channel_name)
        await self.accept()
        logger.info("%r joined %r", str(self.user), str(self.room))

    async def get_room(self):
        """Return the room of the address if the user may be in it, else None."""
        if not self.user.is_authenticated:
            return None
        room_id = self.scope["url_route"]["kwargs"]["room_id"]
        return await self.user.rooms_joined.filter(pk=room_id).afirst()

    async def receive(self, text_data=None, bytes_data=None):
        try:
            await self.receive_json(read_frame(text_data))
        except FrameError as error:
            await self.send_json(error.as_frame())

    async def receive_json(self, content):
        event = {
            "type": "chat_message",
            "room_id": self.room.pk,
            "username": self.user.get_username(),
            "message": read_message(content),
        }
        await self.channel_layer.group_send(self.room.group_name, event)

    async def chat_message(self, event):
        """Tell the client what somebody in the room has said."""
        await self.send_json(
            {
                "msg_type": settings.MSG_TYPE_MESSAGE,
                "room_id": event["room_id"],
                "username": event["username"],
                "message": event["message"],
            }
        )

    async def chat_notice(self, event):
        """Tell the client what the server has to say to the room."""
        await self.send_json(
            {
                "msg_type": settings.MSG_TYPE_NOTICE,
                "room_id": event["room_id"],
                "message": event["message"],
            }
        )

    async def disconnect(self, code):
        if self.room is not None:  # called for refused sockets too
            await self.channel_layer.group_discard(self.room.group_name, self.channel_name)
            logger.info("%r left %r (code %s)", str(self.user), str(self.room), code)
