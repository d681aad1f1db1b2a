"""The settings of a step as it is deployed, with a database of the benchmark's own."""

import os

from mychannels.settings import *  # noqa: F403

DEBUG = False
SECRET_KEY = "of servers that end in a moment"
ALLOWED_HOSTS = ["127.0.0.1"]
if "BENCH_DATABASE" in os.environ:  # steps before the sixth know no DATABASE_URL
    DATABASES["default"]["NAME"] = os.environ["BENCH_DATABASE"]  # noqa: F405
