"""The project's settings, away from the learner's database and with a quick password hasher."""

import os
import tempfile
from pathlib import Path

from mychannels.settings import *

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]

if "TEST_DATABASE" in os.environ:  # a server process, started by a test: see servers.py
    DATABASES["default"]["NAME"] = os.environ["TEST_DATABASE"]
else:
    # A file, not SQLite's memory: server processes and other threads have to see it too.
    folder = tempfile.TemporaryDirectory(prefix="mychannels-")
    DATABASES["default"]["TEST"] = {"NAME": Path(folder.name) / "test.sqlite3"}
