"""The feed of a room: one in each process, for all the sockets that the room has there.

The database holds what was said; the channel layer is only the bell that says "look again".
"""

import asyncio
import json
import logging
from contextlib import suppress

from channels.db import aclose_old_connections, database_sync_to_async
from channels.layers import get_channel_layer
from django import db
from redis.exceptions import RedisError

from chat.access import still_allowed
from chat.frames import FORBIDDEN, UNAVAILABLE
from chat.models import Room

from .bell import BELL_PAUSE, BELL_TIMEOUT, LOOK_EVERY, Bell, ring
from .models import Alert
from .posting import save_alerts

logger = logging.getLogger(__name__)

PAGE_SIZE = 100  # alerts that are read at once
KEPT = 200  # alerts that a feed keeps for its sockets
ROOMS_AT_ONCE = 20  # that are looked after by the same queries: meanwhile nothing can be saved


async def load_frames(room, after):
    """Return the alerts after that number as pairs of seq and frame, at most PAGE_SIZE."""
    alerts = Alert.objects.filter(room=room, seq__gt=after).select_related("user").order_by("seq")
    return [as_pair(alert) async for alert in alerts[:PAGE_SIZE]]


def as_pair(alert):
    return alert.seq, json.dumps(alert.as_frame())


def ask_about(places):
    """Return which of the places may be kept, and the last numbers of their rooms by their ids."""
    rooms = Room.objects.filter(pk__in={room_id for _, room_id in places})
    return still_allowed(places), dict(rooms.values_list("pk", "last_seq"))


def close(socket, code):
    """Close a socket without waiting for a client that perhaps doesn't read."""
    socket.closing = asyncio.create_task(socket.close(code))


class RoomFeed:
    """Saves what the sockets of a room say, reads what others say, and wakes the sockets."""

    of_room = {}  # the feeds of this process, by the id of their room
    watching = None  # the task that watches over all of them

    @classmethod
    def join(cls, room, socket):
        """Return the feed of the room; from now on it sets `socket.wake` for news.

        It closes the socket when `socket.session_key` doesn't let anybody into the room any more.
        `room.last_seq` has to be no newer than what the socket is going to read by itself.
        """
        feed = cls.of_room.get(room.pk)
        if feed is None:
            feed = cls.of_room[room.pk] = cls(room)
        feed.sockets.add(socket)
        if cls.watching is None or cls.watching.done():
            cls.watching = asyncio.create_task(cls.watch())
        return feed

    def leave(self, socket):
        """Forget the socket; the last to leave ends the feed."""
        self.sockets.discard(socket)
        if not self.sockets:
            self.task.cancel()
            self.forget()

    def forget(self):
        """Let the next socket of the room have another feed."""
        if self.of_room.get(self.room.pk) is self:
            del self.of_room[self.room.pk]

    def break_down(self):
        """Give up, because of the exception that is being handled."""
        logger.exception("The feed of room %s has broken, its sockets are closed", self.room.pk)
        self.forget()
        for socket in self.sockets:
            close(socket, UNAVAILABLE)

    def __init__(self, room):
        self.room = room
        self.seq = self.announced = self.rung = room.last_seq
        self.frames = []  # the newest, without holes, up to self.seq
        self.sockets = set()
        self.news, self.unrung = asyncio.Event(), asyncio.Event()
        self.replaying = asyncio.Lock()
        self.drafts, self.transaction = [], asyncio.Lock()
        self.task = asyncio.create_task(self.run())

    async def save(self, *draft):
        """Save an alert of a socket, from a draft as save_alerts takes it, and return it."""
        self.drafts.append(draft)
        place = len(self.drafts) - 1
        if place == 0:
            self.saving = asyncio.create_task(self.save_drafts())
        saved = await asyncio.shield(self.saving)  # whoever goes away, the others' are saved
        return saved[place][0]

    async def save_drafts(self):
        """Save, in one transaction, all that came while the one before was under way."""
        async with self.transaction:
            drafts, self.drafts = self.drafts, []
            try:
                return await database_sync_to_async(save_alerts)(self.room, drafts)
            except Exception as error:
                known = isinstance(error, (db.Error, Room.DoesNotExist))
                logger.error("Messages can't be saved: %s", error, exc_info=not known)
                raise

    def announce(self, alert):
        """Say that a socket of this process has saved that alert."""
        self.announced = max(self.announced, alert.seq)
        self.unrung.set()
        if alert.seq == self.seq + 1:
            self.take([as_pair(alert)])
        else:
            self.news.set()  # what others have said before it has to be read

    def take(self, frames):
        """Keep those frames, pairs of seq and text, that are new, and wake the sockets."""
        self.frames = [*self.frames, *(pair for pair in frames if pair[0] > self.seq)][-KEPT:]
        self.seq = max(self.seq, frames[-1][0])
        for socket in self.sockets:
            socket.wake.set()

    async def read(self, after):
        """Return the next frames after that number, as pairs of seq and text."""
        missing = self.seq - after
        if 0 < missing <= len(self.frames):
            return self.frames[-missing:]
        async with self.replaying:  # one page at a time: what is new has to get through
            return await load_frames(self.room, after)

    async def run(self):
        self.layer = get_channel_layer()
        self.channel = await self.layer.new_channel()
        try:
            async with asyncio.TaskGroup() as tasks:
                for work in [self.stay_in_group(), self.look(), self.ring_bell(), self.hear_bell()]:
                    tasks.create_task(work)
        except Exception:
            self.break_down()
        finally:
            if self.announced > self.rung:
                await ring(self.room, self.announced)
            with suppress(RedisError, TimeoutError):
                async with asyncio.timeout(BELL_TIMEOUT):
                    await self.layer.group_discard(self.room.group_name, self.channel)

    @classmethod
    async def watch(cls):
        """Do every LOOK_EVERY seconds, for the feeds of all rooms, what no bell tells of."""
        while cls.of_room:
            await asyncio.sleep(LOOK_EVERY)
            feeds = list(cls.of_room.values())
            for start in range(0, len(feeds), ROOMS_AT_ONCE):
                some = feeds[start : start + ROOMS_AT_ONCE]
                try:
                    await cls.check(some)
                except db.Error as error:
                    logger.error("The database can't be read: %s", error)
                except Exception:
                    for feed in some:
                        feed.break_down()

    @staticmethod
    async def check(feeds):
        """Close the sockets that nobody may have any more; let feeds look whose bells got lost."""
        sockets = {
            socket: (socket.session_key, feed.room.pk) for feed in feeds for socket in feed.sockets
        }
        allowed, last_seqs = await database_sync_to_async(ask_about)(set(sockets.values()))
        for socket, place in sockets.items():
            if place not in allowed:
                close(socket, FORBIDDEN)
        for feed in feeds:
            if last_seqs.get(feed.room.pk, 0) > feed.seq:
                feed.news.set()

    async def stay_in_group(self):
        """Join the group of the room, again and again: Redis may have been emptied meanwhile."""
        await self.join_group()
        self.news.set()  # what was said until now has rung no bell here
        while True:
            await asyncio.sleep(LOOK_EVERY)
            await self.join_group()

    async def join_group(self):
        try:
            async with asyncio.timeout(BELL_TIMEOUT):
                await self.layer.group_add(self.room.group_name, self.channel)
            Bell.works()
        except (RedisError, TimeoutError) as error:
            Bell.failed(error)

    async def look(self):
        """Read what is new in the database, as soon as there may be something, and wake all."""
        while await self.news.wait():
            self.news.clear()
            try:
                await aclose_old_connections()
                while frames := await load_frames(self.room, self.seq):
                    self.take(frames)
            except db.Error as error:
                logger.error("The database can't be read: %s", error)

    async def ring_bell(self):
        """Tell the other processes what was announced; once for all that came meanwhile."""
        while await self.unrung.wait():
            self.unrung.clear()
            seq = self.announced
            await ring(self.room, seq)
            self.rung = seq
            await asyncio.sleep(BELL_PAUSE)

    async def hear_bell(self):
        """Look whenever another process tells of something new."""
        while True:
            try:
                event = await self.layer.receive(self.channel)
            except RedisError as error:
                Bell.failed(error)
                await asyncio.sleep(LOOK_EVERY)
            else:
                if event["seq"] > self.seq:
                    self.news.set()
