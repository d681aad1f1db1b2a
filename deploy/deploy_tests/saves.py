"""Saves from several threads, for `manage.py shell`."""

import json
import sys
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

from django.contrib.auth.models import User
from django.db import connection

from alert.posting import save_alert
from chat.models import Room


def save_at_once(count):
    """Save alerts from 8 threads; write [seq, created] of each to stdout as JSON.

    Every second one is the same message, sent again with the same client_id.
    """
    alice = User.objects.get(username="alice")
    room = Room.objects.create(name="Crowded")
    repeated = uuid4()

    def save(number):
        try:
            alert, created = save_alert(room, alice, "hi", repeated if number % 2 else uuid4())
            return alert.seq, created
        finally:
            connection.close()  # back to the pool: the other threads need it

    with ThreadPoolExecutor(8) as threads:
        json.dump(list(threads.map(save, range(count))), sys.stdout)
