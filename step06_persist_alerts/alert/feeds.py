"""The feed of a room: one in each process, for all the sockets that the room has there.

The database holds what was said; the channel layer is only the bell that says "look again".
"""

import asyncio
import json
import logging
from contextlib import suppress

from channels.db import aclose_old_connections
from channels.layers import get_channel_layer
from django import db
from redis.exceptions import RedisError

from .models import Alert

logger = logging.getLogger(__name__)

LOOK_EVERY = 2  # seconds: so late is an alert whose bell got lost
RING_TIMEOUT = 1  # seconds
PAGE_SIZE = 100  # alerts that are read at once
KEPT = 200  # alerts that a feed keeps for its sockets


class Bell:
    """Whether the bell works in this process; the log says it once when that changes."""

    away = False

    @classmethod
    def works(cls):
        if cls.away:
            logger.warning("Redis is back.")
        cls.away = False

    @classmethod
    def failed(cls, error):
        if not cls.away:
            why = str(error) or "no answer"
            logger.error("Redis can't be reached, messages take up to %s s: %s", LOOK_EVERY, why)
        cls.away = True


async def ring(room, seq):
    """Tell the feeds of a room, in all processes, that there are alerts up to that number."""
    try:
        async with asyncio.timeout(RING_TIMEOUT):
            event = {"type": "room_bell", "seq": seq}
            await get_channel_layer().group_send(room.group_name, event)
    except (RedisError, TimeoutError) as error:
        Bell.failed(error)


async def load_frames(room, after):
    """Return the alerts after that number as pairs of seq and frame, at most PAGE_SIZE."""
    alerts = Alert.objects.filter(room=room, seq__gt=after).select_related("user").order_by("seq")
    return [(alert.seq, json.dumps(alert.as_frame())) async for alert in alerts[:PAGE_SIZE]]


class RoomFeed:
    """Reads each new alert of a room once and wakes the sockets that wait for it."""

    of_room = {}  # the feeds of this process, by the id of their room

    @classmethod
    def join(cls, room, wake):
        """Return the feed of the room; from now on it sets the asyncio.Event `wake` for news.

        `room.last_seq` has to be no newer than what the caller is going to read by itself.
        """
        feed = cls.of_room.get(room.pk)
        if feed is None:
            feed = cls.of_room[room.pk] = cls(room)
        feed.waiting.add(wake)
        return feed

    def leave(self, wake):
        """Stop setting `wake`; the last to leave ends the feed."""
        self.waiting.discard(wake)
        if not self.waiting:
            self.of_room.pop(self.room.pk, None)
            self.task.cancel()

    def __init__(self, room):
        self.room = room
        self.seq = room.last_seq
        self.frames = []  # the newest, without holes, up to self.seq
        self.waiting = set()
        self.bell = asyncio.Event()
        self.task = asyncio.create_task(self.run())

    async def read(self, after):
        """Return the next frames after that number, as pairs of seq and text."""
        missing = self.seq - after
        if 0 < missing <= len(self.frames):
            return self.frames[-missing:]
        return await load_frames(self.room, after)

    async def run(self):
        self.layer = get_channel_layer()
        self.channel = await self.layer.new_channel()
        listener = asyncio.create_task(self.listen())
        try:
            while True:
                await self.join_group()
                await self.look()
                with suppress(TimeoutError):
                    async with asyncio.timeout(LOOK_EVERY):
                        await self.bell.wait()
                self.bell.clear()
        finally:
            listener.cancel()
            with suppress(RedisError):
                await self.layer.group_discard(self.room.group_name, self.channel)

    async def listen(self):
        """Set the bell for every event that tells of something new."""
        while True:
            try:
                event = await self.layer.receive(self.channel)
            except RedisError as error:
                Bell.failed(error)
                await asyncio.sleep(LOOK_EVERY)
            else:
                if event["seq"] > self.seq:
                    self.bell.set()

    async def join_group(self):
        """Join the group of the room, each time anew: Redis may have been emptied meanwhile."""
        try:
            async with asyncio.timeout(LOOK_EVERY):
                await self.layer.group_add(self.room.group_name, self.channel)
            Bell.works()
        except (RedisError, TimeoutError) as error:
            Bell.failed(error)

    async def look(self):
        """Read what is new in the database and wake the sockets."""
        try:
            await aclose_old_connections()
            while frames := await load_frames(self.room, self.seq):
                self.frames = [*self.frames, *frames][-KEPT:]
                self.seq = frames[-1][0]
                for wake in self.waiting:
                    wake.set()
        except db.Error as error:
            logger.error("The database can't be read: %s", error)
