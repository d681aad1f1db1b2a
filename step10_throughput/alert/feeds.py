"""What to send: a room's messages, read once for all its sockets in this process."""

import asyncio
import json
from contextlib import suppress

from channels.db import database_sync_to_async

from mychannels.outages import DATABASE_ERRORS

from .models import PAGE_SIZE, Alert


@database_sync_to_async
def load(room, after):
    """Return a page of the room's messages after that number, as pairs of seq and text."""
    return [(alert.seq, json.dumps(alert.as_frame())) for alert in Alert.objects.after(room, after)]


class RoomFeed:
    """The messages of a room, for every socket that follows them."""

    of_room = {}  # the feeds of this process, by the id of their room

    def __init__(self, room):
        self.room = room
        self.sockets = set()
        self.last_seq = self.wanted = room.last_seq  # how far the feed has read, and should
        self.frames = []  # the last page of what it has read
        self.reading = None  # the task that does so
        self.changed = asyncio.Event()

    @classmethod
    def join(cls, room, socket):
        """Return the feed of the room; the first socket creates it."""
        feed = cls.of_room.setdefault(room.pk, cls(room))
        feed.sockets.add(socket)
        return feed

    def leave(self, socket):
        """Forget the socket; the feed goes with the last one."""
        self.sockets.discard(socket)
        if not self.sockets:
            self.of_room.pop(self.room.pk, None)

    @classmethod
    def refresh(cls, numbers, exact=False):
        """Read what is new, soon, from pairs of the id and the last number of a room."""
        for room_id, seq in numbers:
            feed = cls.of_room.get(room_id)
            if feed and exact and feed.last_seq > seq:  # the database was replaced
                feed.frames, feed.last_seq = [], seq
            if feed and feed.last_seq < seq:
                feed.wanted = max(feed.wanted, seq)
                if feed.reading is None or feed.reading.done():
                    feed.reading = asyncio.create_task(feed.read_wanted())

    async def read_wanted(self):
        with suppress(*DATABASE_ERRORS):  # poll() notices it too
            while self.last_seq < self.wanted and (frames := await load(self.room, self.last_seq)):
                self.add(frames)
                await asyncio.sleep(0.02)  # what comes meanwhile is read together

    def add_saved(self, alert):
        """Add an alert that this process has just saved, if it is the next, without a query."""
        if alert.seq == self.last_seq + 1:
            self.add([(alert.seq, json.dumps(alert.as_frame()))])

    def add(self, frames):
        """Keep those that are new, and wake those who follow."""
        self.frames = [*self.frames, *(pair for pair in frames if pair[0] > self.last_seq)]
        self.frames = self.frames[-PAGE_SIZE:]
        self.last_seq = max(self.last_seq, frames[-1][0])
        self.changed.set()
        self.changed = asyncio.Event()

    async def read(self, after):
        """Return some of the messages after that number, from memory or from the database."""
        missing = self.last_seq - after
        if 0 < missing <= len(self.frames):
            return self.frames[-missing:]
        return await load(self.room, after)

    async def follow(self, after):
        """Yield the text of every message after that number, as they come."""
        while True:
            changed = self.changed
            frames = await self.read(after) if after < self.last_seq else []
            for seq, text in frames:
                after = seq
                yield text
            if not frames:
                await changed.wait()
