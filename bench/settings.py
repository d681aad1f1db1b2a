"""A step's settings without DEBUG, on a database that the benchmark made."""

import os

from mychannels.settings import *  # noqa: F403
from mychannels.settings import DATABASES

DEBUG = False
ALLOWED_HOSTS = ["127.0.0.1"]
DATABASES["default"]["NAME"] = os.environ["BENCH_DATABASE"]
SESSION_COOKIE_NAME = "sessionid"
CSRF_COOKIE_NAME = "csrftoken"
