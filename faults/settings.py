"""The step's settings, with a database of the run's own and a fast password hasher."""

import os

from mychannels.settings import *  # noqa: F403

DATABASES["default"]["NAME"] = os.environ["FAULTS_DATABASE"]  # noqa: F405
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
