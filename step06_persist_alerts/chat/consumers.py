"""The WebSocket side of the rooms."""

import asyncio
import logging

from channels.consumer import get_handler_name
from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncJsonWebsocketConsumer
from django import db
from django.conf import settings

from alert.feeds import RoomFeed

from .frames import (
    UNAVAILABLE,
    FrameError,
    read_after,
    read_client_id,
    read_frame,
    read_message,
    read_sync,
)
from .limits import Places, TokenBucket
from .models import Room

logger = logging.getLogger(__name__)

HISTORY = 50  # alerts that a client gets that doesn't say where it left off
SYNCS_AT_ONCE = 10  # that wait for their answers


class ChatConsumer(AsyncJsonWebsocketConsumer):
    """Save what a member of the room says as an alert; send all alerts, in order and once each."""

    channel_layer_alias = None  # the feed of the room listens, for all its sockets
    places = Places()  # of the users, in this process
    has_place = closed = False
    feed = None

    async def __call__(self, scope, receive, send):
        try:
            await super().__call__(scope, receive, send)
        finally:
            if self.feed is not None:  # whatever ended the socket: nothing of it may stay
                self.feed.leave(self)
                self.sender.cancel()
            if self.has_place:
                self.places.give_back(self.user.pk)

    async def dispatch(self, message):
        """Handle an event of ASGI, and don't go to the database's thread first, as Channels does.

        There it would wait until the message before it is saved.
        """
        await getattr(self, get_handler_name(message))(message)

    async def connect(self):
        self.user = self.scope["user"]
        self.room = await self.get_room()
        if self.room:
            self.has_place = self.places.take(self.user.pk, settings.SOCKETS_PER_USER)
        if not self.has_place:
            await self.close()  # not accepted yet: the client gets HTTP 403
            return
        self.session_key = self.scope["session"].session_key
        await self.accept()
        logger.info("%r joined %r", str(self.user), str(self.room))
        self.limit = TokenBucket(settings.FRAMES_PER_SECOND, settings.FRAMES_AT_ONCE)
        self.bytes_left = settings.BYTES_PER_SOCKET
        after = max(0, self.room.last_seq - HISTORY)
        try:
            after = read_after(self.scope["query_string"], default=after)
        except FrameError as error:
            await self.send_json(error.as_frame())
        self.saves = set()  # the tasks that save what was sent
        self.syncs = [after]
        self.wake = asyncio.Event()
        self.wake.set()
        self.feed = RoomFeed.join(self.room, self)
        self.sender = asyncio.create_task(self.send_news())

    async def get_room(self):
        """Return the room of the address if the user may be in it, else None."""
        if not self.user.is_authenticated:
            return None
        room_id = self.scope["url_route"]["kwargs"]["room_id"]
        return await self.user.rooms_joined.filter(pk=room_id).afirst()

    async def receive(self, text_data=None, bytes_data=None):
        if self.closed:
            return
        try:
            if not self.limit.take():
                raise FrameError("rate_limited", "Wait a second, then send it again.")
            await self.receive_json(read_frame(text_data))
        except FrameError as error:
            await asyncio.gather(*self.saves)  # each frame is answered in its turn
            await self.send_json(error.as_frame())

    async def receive_json(self, content):
        if "sync" in content:
            after = read_sync(content)
            if len(self.syncs) == SYNCS_AT_ONCE:
                raise FrameError("rate_limited", "Wait for the answer to what you have asked.")
            self.syncs.append(after)
            self.wake.set()
        else:
            await self.receive_message(content)

    async def receive_message(self, content):
        """Save a message, but don't wait for it: the next one can be in the same transaction."""
        message, client_id = read_message(content), read_client_id(content)
        task = asyncio.create_task(self.save(message, client_id, content.get("client_id")))
        self.saves.add(task)
        task.add_done_callback(self.saves.discard)

    async def save(self, message, client_id, client_id_as_sent):
        """Save a message; say so to everybody, and to its sender, who may be gone by now."""
        try:
            alert = await self.feed.save(self.user, message, client_id)
        except Exception:  # the feed has logged it
            await self.close(UNAVAILABLE)  # the client comes back and sends it again
            return
        self.feed.announce(alert)
        await self.send_json(
            {
                "msg_type": settings.MSG_TYPE_ACK,
                "client_id": client_id_as_sent,
                "seq": alert.seq,
            }
        )

    async def send_news(self):
        """Send whatever the client lacks, as often as the feed or the client itself asks for it."""
        try:
            while await self.wake.wait():
                self.wake.clear()
                while self.syncs:
                    await self.replay(self.syncs.pop(0))
                await self.send_up_to(self.feed.seq)
        except (db.Error, Room.DoesNotExist):
            await self.close(UNAVAILABLE)  # the client comes back and says where it left off

    async def replay(self, after):
        """Send every alert after that number, and then how far the client is now."""
        await database_sync_to_async(self.room.refresh_from_db)(fields=["last_seq"])
        self.seq = min(after, self.room.last_seq)
        await self.send_up_to(self.room.last_seq)
        await self.send_json({"msg_type": settings.MSG_TYPE_SYNCED, "seq": self.seq})

    async def send_up_to(self, last_seq):
        """Send, page by page, what the client lacks up to that number."""
        while self.seq < last_seq and not self.closed:
            frames = await self.feed.read(self.seq)
            if not frames:
                return
            for self.seq, text in frames:
                await self.send(text_data=text)

    async def send(self, text_data=None, bytes_data=None, close=False):
        """Send text, but not without end: no ASGI application sees whether its client reads."""
        if self.closed:
            return
        await self.base_send({"type": "websocket.send", "text": text_data})
        self.bytes_left -= len(text_data)
        if self.bytes_left < 0:
            await self.close()  # the client comes back and says where it left off

    async def close(self, code=None, reason=None):
        """Close the socket; what its client may still send doesn't count."""
        if not self.closed:
            self.closed = True
            await super().close(code, reason)

    async def disconnect(self, code):
        self.closed = True
        if self.feed is not None:  # called for refused sockets too
            await asyncio.gather(*self.saves)
            logger.info("%r left %r (code %s)", str(self.user), str(self.room), code)
