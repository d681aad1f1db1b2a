"""The project's settings, with a quick password hasher, and less patience for SQLite if wanted."""

import os

from mychannels.settings import *  # noqa: F403

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]

if "SQLITE_TIMEOUT" in os.environ:  # seconds that it waits for a lock
    DATABASES["default"]["OPTIONS"]["timeout"] = float(os.environ["SQLITE_TIMEOUT"])  # noqa: F405
