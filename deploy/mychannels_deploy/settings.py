"""Step 6's settings for the real world: what is secret or differs comes from the environment."""

import os

from csp.constants import NONE, SELF
from django.core.exceptions import ImproperlyConfigured

REQUIRED = ["DJANGO_SECRET_KEY", "DJANGO_ALLOWED_HOSTS", "DATABASE_URL", "REDIS_URL"]

missing = [name for name in REQUIRED if not os.environ.get(name, "").strip()]
if missing:
    raise ImproperlyConfigured(f"Set in the environment: {', '.join(missing)}.")

os.environ["DJANGO_DEBUG"] = "false"  # whatever it was, and before step 6 looks at it

from mychannels.settings import *  # noqa: E402, F403
from mychannels.settings import INSTALLED_APPS, MIDDLEWARE  # noqa: E402

ROOT_URLCONF = "mychannels_deploy.urls"
INSTALLED_APPS = [*INSTALLED_APPS, "csp"]
MIDDLEWARE = ["csp.middleware.CSPMiddleware", *MIDDLEWARE]  # first: it sees every response

STATIC_URL = "static/"
STATIC_ROOT = os.environ.get("STATIC_ROOT")  # collectstatic fills it, nginx serves it

# nginx says how the client has come, and takes out what the client itself says of it.
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
SECURE_SSL_REDIRECT = True
SECURE_HSTS_SECONDS = int(os.environ.get("HSTS_SECONDS") or 3600)
SECURE_HSTS_INCLUDE_SUBDOMAINS = True
SECURE_HSTS_PRELOAD = True

SESSION_COOKIE_SECURE = True
CSRF_COOKIE_SECURE = True
CSRF_COOKIE_HTTPONLY = True

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "base-uri": [NONE],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
        "object-src": [NONE],
    }
}
