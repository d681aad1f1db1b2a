"""Which application answers which protocol."""

import os

from channels.auth import AuthMiddlewareStack
from channels.routing import ProtocolTypeRouter, URLRouter
from channels.security.websocket import AllowedHostsOriginValidator
from django.core.asgi import get_asgi_application

from .outages import close_when_unavailable

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mychannels.settings")

# Loads the apps: what imports models comes after it.
django_application = get_asgi_application()

import alert.routing
import chat.routing

websocket_urlpatterns = [
    *chat.routing.websocket_urlpatterns,
    *alert.routing.websocket_urlpatterns,
]

application = ProtocolTypeRouter(
    {
        "http": django_application,
        "websocket": AllowedHostsOriginValidator(
            close_when_unavailable(AuthMiddlewareStack(URLRouter(websocket_urlpatterns)))
        ),
    }
)
