"""Save alerts one after the other, as fast as one thread can.

    python -m bench.plain_saves SECONDS

Prints JSON: how many were saved, and in how many seconds. Needs a room and a member.
"""

import json
import sys
import time
import uuid

import django

django.setup()

from django.contrib.auth.models import User  # noqa: E402

from alert.posting import save_alert  # noqa: E402
from chat.models import Room  # noqa: E402


def save_for(seconds):
    """Save for so many seconds; return how many were saved, and in how many seconds."""
    room, user = Room.objects.first(), User.objects.first()
    saved, begun = 0, time.perf_counter()
    while (took := time.perf_counter() - begun) < seconds:
        save_alert(room, user, f"number {saved}", uuid.uuid4())
        saved += 1
    return saved, took


if __name__ == "__main__":
    sys.stdout.write(json.dumps(save_for(float(sys.argv[1]))))
