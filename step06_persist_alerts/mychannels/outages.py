"""What happens to the sockets while Redis can't be reached."""

import logging

from redis.exceptions import RedisError

logger = logging.getLogger(__name__)

UNAVAILABLE = 4503  # close codes from 4000 on are the application's; 503 means the same in HTTP

ongoing = set()  # the services that this process can't reach


def begin(service, error):
    """Note that a service can't be reached; the log says so once in an outage."""
    if service not in ongoing:
        logger.error("%s can't be reached: %s", service, error)
    ongoing.add(service)


def end(service):
    """Note that a service can be reached again."""
    ongoing.discard(service)


def close_when_unavailable(application):
    """Wrap an ASGI application: close the socket when it can't reach Redis.

    A handshake that is refused carries no code, so the socket is accepted first.
    """

    async def wrapped(scope, receive, send):
        accepted = False

        async def note_accept(event):
            nonlocal accepted
            if event["type"] == "websocket.accept":
                accepted = True
                end("Redis")
            await send(event)

        try:
            await application(scope, receive, note_accept)
        except RedisError as error:
            begin("Redis", error)
            if not accepted:
                await send({"type": "websocket.accept"})
            await send({"type": "websocket.close", "code": UNAVAILABLE})

    return wrapped
