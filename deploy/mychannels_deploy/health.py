"""Whether a server reaches what it needs."""

import asyncio
import logging

from asgiref.sync import sync_to_async
from channels.layers import get_channel_layer
from django.db import connection
from django.http import JsonResponse
from django.views.decorators.cache import never_cache

logger = logging.getLogger(__name__)

LAYER_TIMEOUT = 2  # seconds; the database has a time limit of its own, see step 6's settings


@never_cache
async def health(request):
    """Answer 200 if the database and the layer work, else 503; the JSON says which is away."""
    database, layer = await asyncio.gather(
        works("database", sync_to_async(ask_database)()), works("layer", ask_layer())
    )
    answer = {"database": state(database), "layer": state(layer)}
    return JsonResponse(answer, status=200 if database and layer else 503)


def state(well):
    return "ok" if well else "away"


async def works(name, question):
    """Return whether the awaitable ends well; what is wrong goes to the log, not to the client."""
    try:
        await question
    except Exception as error:
        logger.error("The %s is away: %s: %s", name, type(error).__name__, error)
        return False
    return True


def ask_database():
    """Run a query; raises django.db.Error."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")


async def ask_layer():
    """Send something to ourselves and wait for it; raises RedisError or TimeoutError."""
    layer = get_channel_layer()
    channel = await layer.new_channel("health")
    async with asyncio.timeout(LAYER_TIMEOUT):
        await layer.send(channel, {"type": "health"})
        await layer.receive(channel)
