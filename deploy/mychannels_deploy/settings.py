"""The last step's settings for real servers: secrets and addresses come from the environment."""

import os

import dj_database_url
from csp.constants import NONE, SELF
from django.core.exceptions import ImproperlyConfigured

REQUIRED = ["DJANGO_SECRET_KEY", "DJANGO_ALLOWED_HOSTS", "DATABASE_URL", "REDIS_URL"]

missing = [name for name in REQUIRED if not os.environ.get(name, "").strip()]
if missing:
    raise ImproperlyConfigured(f"Set in the environment: {', '.join(missing)}.")

if not os.environ["DATABASE_URL"].startswith(("postgresql://", "postgres://")):
    raise ImproperlyConfigured("Set DATABASE_URL to postgresql://USER:PASSWORD@HOST/NAME.")

os.environ["DJANGO_DEBUG"] = "false"  # before the step's settings read it

from mychannels.settings import *  # noqa: E402, F403
from mychannels.settings import INSTALLED_APPS, LOGGING, MIDDLEWARE  # noqa: E402

ROOT_URLCONF = "mychannels_deploy.urls"
INSTALLED_APPS = [*INSTALLED_APPS, "csp"]
MIDDLEWARE = ["csp.middleware.CSPMiddleware", *MIDDLEWARE]  # first: it sees every response

# A connection is tested before it is used: PostgreSQL may have been restarted.
database = dj_database_url.parse(os.environ["DATABASE_URL"], conn_health_checks=True)
# Opening a connection takes longer than saving an alert, so they are kept in a pool.
pool = {"min_size": 1, "max_size": 4, "timeout": 5, "reconnect_timeout": 5}  # seconds
database["OPTIONS"] = database.get("OPTIONS", {}) | {"pool": pool}
DATABASES = {"default": database}

# The pool warns of every attempt to connect; mychannels/outages.py logs each outage once.
LOGGING["loggers"]["psycopg.pool"] = {"level": "ERROR"}

STATIC_URL = "static/"
STATIC_ROOT = os.environ.get("STATIC_ROOT")  # collectstatic fills it, nginx serves it

# nginx says how the client connected, and removes what the client itself says of it.
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
SECURE_SSL_REDIRECT = True
SECURE_HSTS_SECONDS = int(os.environ.get("HSTS_SECONDS") or 3600)
SECURE_HSTS_INCLUDE_SUBDOMAINS = True
SECURE_HSTS_PRELOAD = True

SESSION_COOKIE_NAME = "sessionid"
SESSION_COOKIE_SECURE = True
CSRF_COOKIE_NAME = "csrftoken"
CSRF_COOKIE_SECURE = True  # not HTTPONLY: pages read it to notice another sign-in

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "base-uri": [NONE],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
        "object-src": [NONE],
    }
}
