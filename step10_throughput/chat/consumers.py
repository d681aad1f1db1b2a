"""The WebSocket side of the rooms."""

import asyncio
import json
import logging
from collections import Counter

from channels.consumer import get_handler_name
from channels.generic.websocket import AsyncWebsocketConsumer
from django.conf import settings

from alert import listener, writer
from alert.feeds import RoomFeed
from mychannels import outages

from .frames import (
    FrameError,
    parse_after,
    parse_client_id,
    parse_frame,
    parse_message,
    parse_sync,
)
from .limits import TokenBucket
from .models import Room

logger = logging.getLogger(__name__)

MSG_TYPE_ACK = "ack"
MSG_TYPE_SYNCED = "synced"

HISTORY = 50  # messages that a client gets when it names no number


class ChatConsumer(AsyncWebsocketConsumer):
    """Save what a member of the room sends; send each message to everyone, once and in order."""

    channel_layer_alias = None  # alert/listener.py listens, for all sockets of the process
    feed = None
    sockets_of = Counter()  # in this process, by the id of their user
    counted = closed = False

    async def __call__(self, scope, receive, send):
        try:
            await super().__call__(scope, receive, send)
        finally:  # disconnect() isn't called after an error
            if self.feed is not None:
                self.feed.leave(self)
                self.sending.cancel()
            if self.counted:
                self.sockets_of[self.user.pk] -= 1

    async def dispatch(self, message):
        """Call the handler of an ASGI event at once.

        Channels would visit the database's thread first, where a transaction may be under way.
        """
        await getattr(self, get_handler_name(message))(message)

    async def connect(self):
        self.user = self.scope["user"]
        self.room = await self.get_room()
        if self.room is None or self.sockets_of[self.user.pk] >= settings.SOCKETS_PER_USER:
            await self.close()  # before accept(): the client gets HTTP 403
            return
        self.sockets_of[self.user.pk] += 1
        self.counted = True
        self.session_key = self.scope["session"].session_key
        self.rate_limit = TokenBucket(settings.FRAMES_PER_SECOND, settings.FRAMES_AT_ONCE)
        self.bytes_left = settings.BYTES_PER_SOCKET
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
        if self.closed:
            return
        frame, allowed = {}, self.rate_limit.take()
        try:
            frame = parse_frame(text_data)
            if not allowed:
                raise FrameError("rate_limited", "You're sending too fast. Send it again later.")
            if "sync" in frame:
                await self.receive_sync(frame)
            else:
                await self.receive_message(frame)
        except FrameError as error:
            await self.send_frame(error.as_frame(frame))

    async def receive_sync(self, frame):
        """Send what the client lacks."""
        after = parse_sync(frame)
        self.sending.cancel()
        self.sending = asyncio.create_task(self.send_messages(after))

    async def receive_message(self, frame):
        """Save a message without waiting for it, so that the next can join its transaction."""
        message, client_id = parse_message(frame), parse_client_id(frame)
        self.saving = asyncio.create_task(self.save(message, client_id))

    async def save(self, message, client_id):
        """Save a message, which announces it to the room, then acknowledge it."""
        try:
            alert = await writer.save(self.room, self.user, message, client_id)
        except Exception:  # the writer has logged it
            await self.close(outages.UNAVAILABLE)
            return
        client_id = client_id and str(client_id)
        await self.send_frame({"msg_type": MSG_TYPE_ACK, "client_id": client_id, "seq": alert.seq})

    async def send_frame(self, frame):
        """Send a frame, a dict, as JSON."""
        await self.send(text_data=json.dumps(frame))

    async def send(self, text_data=None, bytes_data=None, close=False):
        """Send text while the socket is open, up to BYTES_PER_SOCKET in all.

        The server buffers what a client doesn't read, without a limit of its own.
        """
        if self.closed:
            return
        await super().send(text_data)
        self.bytes_left -= len(text_data)
        if self.bytes_left < 0:
            await self.close()  # the client connects again and names its last number

    async def close(self, code=None, reason=None):
        """Close the socket, once; from then on nothing is sent or accepted."""
        if not self.closed:
            self.closed = True
            await super().close(code, reason)

    async def disconnect(self, code):
        if self.feed is not None:  # Channels calls this for refused sockets too
            logger.info("%r left %r (code %s)", str(self.user), str(self.room), code)
