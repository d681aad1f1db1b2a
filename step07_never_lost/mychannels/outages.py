"""What happens to sockets and pages while a service can't be reached."""

import logging

from django.db import InterfaceError, OperationalError
from django.http import HttpResponse
from django.utils.deprecation import MiddlewareMixin
from redis.exceptions import RedisError

logger = logging.getLogger(__name__)

UNAVAILABLE = 4503  # close codes from 4000 on are the application's; 503 means the same in HTTP
DATABASE_ERRORS = (InterfaceError, OperationalError)

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
    """Wrap an ASGI application: close the socket when it can't reach a service.

    A handshake that is refused carries no code, so the socket is accepted first.
    """

    async def wrapped(scope, receive, send):
        accepted = False

        async def note_accept(event):
            nonlocal accepted
            if event["type"] == "websocket.accept":
                accepted = True
                end("Redis")
                end("The database")
            await send(event)

        try:
            await application(scope, receive, note_accept)
        except (RedisError, *DATABASE_ERRORS) as error:
            begin("Redis" if isinstance(error, RedisError) else "The database", error)
            if not accepted:
                await send({"type": "websocket.accept"})
            await send({"type": "websocket.close", "code": UNAVAILABLE})

    return wrapped


class UnavailableMiddleware(MiddlewareMixin):
    """Answer a request with a plain 503 when the database can't be reached."""

    def process_exception(self, request, exception):
        if not isinstance(exception, DATABASE_ERRORS):
            return None
        begin("The database", exception)
        text = "The database can't be reached. Try again in a moment."
        return HttpResponse(text, content_type="text/plain", status=503)
