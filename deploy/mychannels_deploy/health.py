"""Whether a server reaches the database and the channel layer."""

import asyncio

from asgiref.sync import sync_to_async
from channels.layers import get_channel_layer
from django.db import connection
from django.http import JsonResponse
from django.views.decorators.cache import never_cache

from mychannels.outages import begin, end

LAYER_TIMEOUT = 2  # seconds; the database's own is in settings.py


@never_cache
async def health(request):
    """Answer 200 if the database and the layer work, else 503; the JSON has the state of each."""
    database, layer = await asyncio.gather(
        check("The database", sync_to_async(query_database)()), check("Redis", use_layer())
    )
    works = database == layer == "ok"
    return JsonResponse({"database": database, "layer": layer}, status=200 if works else 503)


async def check(service, attempt):
    """Return "ok" if the awaitable succeeds, else "unavailable"; the error goes to the log only."""
    try:
        await attempt
    except Exception as error:
        begin(service, f"{type(error).__name__}: {error}")
        return "unavailable"
    end(service)
    return "ok"


def query_database():
    """Run a query; raises django.db.Error."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")


async def use_layer():
    """Send an event to ourselves and wait for it; raises RedisError or TimeoutError."""
    layer = get_channel_layer()
    channel = await layer.new_channel("health")
    async with asyncio.timeout(LAYER_TIMEOUT):
        await layer.send(channel, {"type": "health"})
        await layer.receive(channel)
