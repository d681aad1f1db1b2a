"""When to read: on a notification through the channel layer, and every two seconds anyway."""

import asyncio
import logging
from functools import cache

from channels.db import database_sync_to_async
from channels.layers import get_channel_layer
from redis.exceptions import RedisError

from chat.models import Room
from mychannels import outages

from .feeds import RoomFeed

warn_once = cache(logging.getLogger(__name__).warning)
GROUP = "feeds"
NOTIFICATION = "feeds.notification"  # the type of the event
POLL_INTERVAL = 2  # seconds
listening = None  # the task of this process


def start():
    """Listen from now on, unless this process does so already."""
    global listening
    if listening is None or listening.done():
        listening = asyncio.create_task(listen())


async def notify(numbers):
    """Notify every process, this one too; for the numbers, see RoomFeed.refresh."""
    event = {"type": NOTIFICATION, "numbers": numbers}
    await reach_redis(get_channel_layer().group_send(GROUP, event))


async def listen():
    layer = get_channel_layer()
    channel = await layer.new_channel()
    while True:
        await reach_redis(layer.group_add(GROUP, channel))  # again: Redis may have been emptied
        await poll()
        try:
            async with asyncio.timeout(POLL_INTERVAL):
                while True:
                    event = await layer.receive(channel)
                    if event.get("type") == NOTIFICATION:
                        RoomFeed.refresh(event["numbers"])
                    else:
                        warn_once("Ignored an event of the type %r.", str(event.get("type")))
        except RedisError:
            await asyncio.sleep(POLL_INTERVAL)
        except TimeoutError:
            pass  # poll again


async def poll():
    """Refresh every feed; close its sockets when the database can't be reached."""
    rooms = Room.objects.filter(pk__in=list(RoomFeed.of_room)).values_list("pk", "last_seq")
    sockets = [socket for feed in RoomFeed.of_room.values() for socket in feed.sockets]
    try:
        RoomFeed.refresh(await database_sync_to_async(list)(rooms), exact=True)
    except outages.DATABASE_ERRORS as error:
        outages.begin("The database", error)
        for socket in sockets:
            await socket.close(outages.UNAVAILABLE)


async def reach_redis(operation):
    """Await an operation of the channel layer; when it fails, note the outage."""
    known = outages.ongoing & {"Redis"}
    try:
        async with asyncio.timeout(POLL_INTERVAL):
            await operation
        outages.ongoing.difference_update(known)  # not one that has begun meanwhile
    except (RedisError, TimeoutError) as error:
        outages.begin("Redis", str(error) or "no answer")
