"""The settings of the step, with what is different in a browser tab."""

import os

from mychannels.settings import *

INSTALLED_APPS = [app for app in INSTALLED_APPS if app != "daphne"]  # no network to listen on
STATIC_URL = os.environ["TAB_STATIC_URL"]
# Pyodide has no OpenSSL, which hashlib needs for the hashers that Django uses otherwise.
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
for layer in globals().get("CHANNEL_LAYERS", {}).values():
    if layer.get("BACKEND", "").startswith("channels_redis."):
        layer["BACKEND"] = "tab_layer.TabLayer"
