"""The WebSocket side of the rooms."""

import asyncio
import json
import logging

from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncWebsocketConsumer
from django.db import IntegrityError

from alert import listener
from alert.feeds import RoomFeed
from alert.posting import save_alert
from mychannels import outages

from .frames import (
    FrameError,
    parse_after,
    parse_client_id,
    parse_frame,
    parse_message,
    parse_sync,
)
from .models import Room

logger = logging.getLogger(__name__)

MSG_TYPE_ACK = "ack"
MSG_TYPE_SYNCED = "synced"

HISTORY = 50  # messages that a client gets when it names no number


class ChatConsumer(AsyncWebsocketConsumer):
    """Save what a member of the room sends; send each message to everyone, once and in order."""

    channel_layer_alias = None  # alert/listener.py listens, for all sockets of the process
    feed = None

    async def __call__(self, scope, receive, send):
        try:
            await super().__call__(scope, receive, send)
        finally:  # disconnect() isn't called after an error
            if self.feed is not None:
                self.feed.leave(self)
                self.sending.cancel()

    async def connect(self):
        self.user = self.scope["user"]
        self.room = await self.get_room()
        if self.room is None:
            await self.close()  # before accept(): the client gets HTTP 403
            return
        await self.accept()
        logger.info("%r joined %r", str(self.user), str(self.room))
        listener.start()
        self.feed = RoomFeed.join(self.room, self)
        newest = max(0, self.room.last_seq - HISTORY)
        after = parse_after(self.scope["query_string"], default=newest)
        self.sending = asyncio.create_task(self.send_messages(after))

    async def get_room(self):
        """Return the room in the URL if the user is a member, else None."""
        if not self.user.is_authenticated:
            return None
        room_id = self.scope["url_route"]["kwargs"]["room_id"]
        return await self.user.rooms_joined.filter(pk=room_id).afirst()

    async def send_messages(self, after):
        try:
            await self.replay(after)
            async for text in self.feed.follow(self.last_sent):
                await self.send(text_data=text)
        except (Room.DoesNotExist, *outages.DATABASE_ERRORS):
            await self.close(outages.UNAVAILABLE)  # poll() logs an outage

    async def replay(self, after):
        """Send every message after that number, then `synced` with the last number."""
        await self.room.arefresh_from_db(fields=["last_seq"])
        RoomFeed.refresh([(self.room.pk, self.room.last_seq)], exact=True)
        self.last_sent = min(after, self.room.last_seq)
        await self.send_missing()
        await self.send_frame({"msg_type": MSG_TYPE_SYNCED, "seq": self.last_sent})

    async def send_missing(self):
        """Send, page by page, what was stored after the last message that was sent."""
        while page := await self.feed.read(self.last_sent):
            for seq, text in page:
                self.last_sent = seq
                await self.send(text_data=text)

    async def receive(self, text_data=None, bytes_data=None):
        frame = {}
        try:
            frame = parse_frame(text_data)
            if "sync" in frame:
                await self.receive_sync(frame)
            else:
                await self.receive_message(frame)
        except FrameError as error:
            await self.send_frame(error.as_frame(frame))
        except (Room.DoesNotExist, IntegrityError):  # room or user deleted since the handshake
            await self.close()

    async def receive_sync(self, frame):
        """Send what the client lacks."""
        after = parse_sync(frame)
        self.sending.cancel()
        self.sending = asyncio.create_task(self.send_messages(after))

    async def receive_message(self, frame):
        """Save a message, announce it to the room, then acknowledge it."""
        message, client_id = parse_message(frame), parse_client_id(frame)
        save = database_sync_to_async(save_alert)
        alert, _ = await save(self.room, self.user, message, client_id)
        await listener.notify([(self.room.pk, alert.seq)])
        client_id = client_id and str(client_id)
        await self.send_frame({"msg_type": MSG_TYPE_ACK, "client_id": client_id, "seq": alert.seq})

    async def send_frame(self, frame):
        """Send a frame, a dict, as JSON."""
        await self.send(text_data=json.dumps(frame))

    async def disconnect(self, code):
        if self.room is not None:  # Channels calls this for refused sockets too
            logger.info("%r left %r (code %s)", str(self.user), str(self.room), code)
