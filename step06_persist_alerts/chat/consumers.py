"""The WebSocket side of the rooms."""

import json
import logging

from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncWebsocketConsumer

from alert.models import Alert
from alert.posting import save_alert, send_alert

from .frames import FrameError, parse_frame, parse_message

logger = logging.getLogger(__name__)

HISTORY = 50  # messages that a client gets when it joins


class ChatConsumer(AsyncWebsocketConsumer):
    """Save what a member of the room sends, and send it to everyone who is connected to it."""

    async def connect(self):
        self.user = self.scope["user"]
        self.room = await self.get_room()
        if self.room is None:
            await self.close()  # before accept(): the client gets HTTP 403
            return
        await self.channel_layer.group_add(self.room.group_name, self.channel_name)
        await self.accept()
        logger.info("%r joined %r", str(self.user), str(self.room))
        await self.send_history()

    async def get_room(self):
        """Return the room in the URL if the user is a member, else None."""
        if not self.user.is_authenticated:
            return None
        room_id = self.scope["url_route"]["kwargs"]["room_id"]
        return await self.user.rooms_joined.filter(pk=room_id).afirst()

    async def send_history(self):
        """Send the newest messages of the room, oldest first."""
        newest = Alert.objects.filter(room=self.room).select_related("user").order_by("-pk")
        for alert in reversed([alert async for alert in newest[:HISTORY]]):
            await self.send_frame(alert.as_frame())

    async def receive(self, text_data=None, bytes_data=None):
        try:
            await self.receive_message(parse_frame(text_data))
        except FrameError as error:
            await self.send_frame(error.as_frame())

    async def receive_message(self, frame):
        """Save a message as an alert, then send it to the room."""
        message = parse_message(frame)
        save = database_sync_to_async(save_alert)
        alert = await save(self.room, self.user, message)
        await send_alert(alert)

    async def chat_message(self, event):
        """Send a member's message to the client."""
        await self.send_frame(event["frame"])

    async def send_frame(self, frame):
        """Send a frame, a dict, as JSON."""
        await self.send(text_data=json.dumps(frame))

    async def disconnect(self, code):
        if self.room is not None:  # Channels calls this for refused sockets too
            await self.channel_layer.group_discard(self.room.group_name, self.channel_name)
            logger.info("%r left %r (code %s)", str(self.user), str(self.room), code)
