"""Which application answers which protocol."""

import os

from channels.auth import AuthMiddlewareStack
from channels.routing import ProtocolTypeRouter, URLRouter
from channels.security.websocket import AllowedHostsOriginValidator, WebsocketDenier
from django.core.asgi import get_asgi_application
from django.urls import re_path

from .outages import close_when_unavailable

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mychannels.settings")

# Loads the apps: what imports models comes after it.
django_application = get_asgi_application()

import alert.routing
import chat.routing

websocket_urlpatterns = [
    *chat.routing.websocket_urlpatterns,
    *alert.routing.websocket_urlpatterns,
    re_path("", WebsocketDenier.as_asgi()),  # HTTP 403 for every other path
]


def with_user(application):
    """Put the user into the scope, as AuthMiddlewareStack does, but let frames go past it.

    It would ask before each frame whether the session has to be saved.
    """

    async def find_user(scope, receive, send):
        async def call_application(scope, receive, _):
            await application(scope, receive, send)

        await AuthMiddlewareStack(call_application)(scope, receive, send)

    return find_user


application = ProtocolTypeRouter(
    {
        "http": django_application,
        "websocket": AllowedHostsOriginValidator(
            close_when_unavailable(with_user(URLRouter(websocket_urlpatterns)))
        ),
    }
)
