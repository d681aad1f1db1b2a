"""The bell: an event in the channel layer that says "there is something new", and no more."""

import asyncio
import logging

from channels.layers import get_channel_layer
from redis.exceptions import RedisError

logger = logging.getLogger(__name__)

LOOK_EVERY = 2  # seconds: so late is an alert whose bell got lost, and so long stays who is out
BELL_TIMEOUT = 1  # seconds
BELL_PAUSE = 0.02  # seconds from one bell of a feed to the next: what comes meanwhile waits for it


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
        async with asyncio.timeout(BELL_TIMEOUT):
            event = {"type": "room_bell", "seq": seq}
            await get_channel_layer().group_send(room.group_name, event)
    except (RedisError, TimeoutError) as error:
        Bell.failed(error)
