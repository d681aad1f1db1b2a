"""The project's settings, away from the learner's database and with a quick password hasher."""

import os
import tempfile
from pathlib import Path

from mychannels.settings import *

from .servers import free_port

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]

if "TEST_DATABASE" in os.environ:  # a server process, started by a test: see servers.py
    DATABASES["default"]["NAME"] = os.environ["TEST_DATABASE"]
else:
    # A file, not SQLite's memory: server processes and other threads have to see it too.
    folder = tempfile.TemporaryDirectory(prefix="mychannels-")
    DATABASES["default"]["TEST"] = {"NAME": Path(folder.name) / "test.sqlite3"}
    # A Redis of our own: see the fixture redis_server.
    os.environ["REDIS_URL"] = f"redis://127.0.0.1:{free_port()}/0"
    CHANNEL_LAYERS["default"]["CONFIG"]["hosts"] = [os.environ["REDIS_URL"]]
