"""Settings of the project mychannels."""

import os
from pathlib import Path
from urllib.parse import quote

import dj_database_url
from django.core.exceptions import ImproperlyConfigured

BASE_DIR = Path(__file__).resolve().parent.parent

SECRET_KEY = os.environ.get("DJANGO_SECRET_KEY", "django-insecure-for-learning-only")
DEBUG = os.environ.get("DJANGO_DEBUG", "true").lower() in {"1", "true", "yes", "on"}
ALLOWED_HOSTS = [
    host.strip() for host in os.environ.get("DJANGO_ALLOWED_HOSTS", "").split(",") if host.strip()
]

if not DEBUG and not (os.environ.get("DJANGO_SECRET_KEY") and ALLOWED_HOSTS):
    raise ImproperlyConfigured(
        "Without DEBUG, set DJANGO_SECRET_KEY and DJANGO_ALLOWED_HOSTS (hosts with commas between)."
    )

INSTALLED_APPS = [
    "daphne",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "chat",
    "alert",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

ROOT_URLCONF = "mychannels.urls"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

WSGI_APPLICATION = "mychannels.wsgi.application"
ASGI_APPLICATION = "mychannels.routing.application"

database = dj_database_url.parse(
    os.environ.get("DATABASE_URL") or "sqlite:///" + quote(str(BASE_DIR / "db.sqlite3")),
    conn_health_checks=True,
)
DATABASE_OPTIONS = {
    "django.db.backends.sqlite3": {
        # Writers wait for each other from their start, and readers for nobody.
        "transaction_mode": "IMMEDIATE",
        "init_command": "PRAGMA journal_mode=WAL",
        "timeout": 20,  # seconds
    },
    "django.db.backends.postgresql": {
        # Opening a connection takes longer than saving an alert.
        "pool": {"min_size": 1, "max_size": 4, "timeout": 5, "reconnect_timeout": 5},  # seconds
    },
}
if database["ENGINE"] == "django.db.backends.sqlite3":
    database["CONN_MAX_AGE"] = 600  # seconds; SQLite has no pool, and opening takes long, too
database.setdefault("OPTIONS", {}).update(DATABASE_OPTIONS.get(database["ENGINE"], {}))
DATABASES = {"default": database}

AUTH_PASSWORD_VALIDATORS = [
    {
        "NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator",
    },
    {
        "NAME": "django.contrib.auth.password_validation.MinimumLengthValidator",
    },
    {
        "NAME": "django.contrib.auth.password_validation.CommonPasswordValidator",
    },
    {
        "NAME": "django.contrib.auth.password_validation.NumericPasswordValidator",
    },
]

LOGIN_REDIRECT_URL = "chat:room_list"
LOGOUT_REDIRECT_URL = "login"

LANGUAGE_CODE = "en-us"
TIME_ZONE = "UTC"
USE_I18N = True
USE_TZ = True

# Each step has addresses of its own: a browser must not mix its cached files with another step's.
STATIC_URL = f"static/{BASE_DIR.name}/"
STATICFILES_DIRS = [BASE_DIR / "static"]

DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"console": {"class": "logging.StreamHandler"}},
    "loggers": {"chat": {"handlers": ["console"], "level": "INFO", "propagate": False}},
}

CHANNEL_LAYERS = {
    "default": {
        "BACKEND": "channels_redis.core.RedisChannelLayer",
        "CONFIG": {
            # More than one address, with commas in between, share the groups among them.
            "hosts": os.environ.get("REDIS_URL", "redis://127.0.0.1:6379/0").split(","),
        },
    },
}

MSG_TYPE_ACK = "ack"
MSG_TYPE_ERROR = "error"
MSG_TYPE_MESSAGE = "message"
MSG_TYPE_SYNCED = "synced"

# What a socket may send: so many frames in a burst, and a second in the long run.
FRAMES_AT_ONCE = int(os.environ.get("FRAMES_AT_ONCE", "20"))
FRAMES_PER_SECOND = float(os.environ.get("FRAMES_PER_SECOND", "10"))

# How many sockets a user may have in each process, and how much each may get in its life.
SOCKETS_PER_USER = int(os.environ.get("SOCKETS_PER_USER", "20"))
BYTES_PER_SOCKET = int(os.environ.get("BYTES_PER_SOCKET", str(4 * 1024**2)))
