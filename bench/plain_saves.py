"""Save alerts with a client_id, one after the other, in the first room.

    python -m bench.plain_saves SECONDS

Prints JSON: the number of alerts that were saved, and the seconds of CPU time.
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
    """Save for that time; return the number of alerts and the seconds of CPU time."""
    room, user = Room.objects.first(), User.objects.first()
    saved, used, begun = 0, time.process_time(), time.monotonic()
    while time.monotonic() - begun < seconds:
        save_alert(room, user, f"number {saved}", uuid.uuid4())
        saved += 1
    return saved, time.process_time() - used


if __name__ == "__main__":
    sys.stdout.write(json.dumps(save_for(float(sys.argv[1]))))
