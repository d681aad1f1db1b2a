"""Context for every template."""

import os

from django.conf import settings


def server(request):
    """Return what the header says about the server, and the name of the CSRF cookie.

    `server` is empty, or like "1 of 2": `make step` sets SERVER where it starts several.
    """
    return {
        "debug": settings.DEBUG,
        "step": settings.BASE_DIR.name,
        "port": request.get_port(),
        "server": os.environ.get("SERVER", ""),
        "csrf_cookie": settings.CSRF_COOKIE_NAME,
    }
