"""Make a step's tables and fill them with rooms, each with members of its own, who are signed in.

    python -m bench.fill ROOMS MEMBERS HISTORY

Prints JSON: for each room its id and the session keys of its members. The first room gets HISTORY
alerts, from step 7 on.
"""

import json
import sys
import uuid
from datetime import timedelta

import django
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.core.management import call_command
from django.db import connections
from django.utils import timezone
from django.utils.crypto import get_random_string

django.setup()

from django.contrib.auth.models import User  # noqa: E402
from django.contrib.sessions.models import Session  # noqa: E402

from alert.models import Alert  # noqa: E402
from chat.models import Room  # noqa: E402


def sign_in(user):
    """Return an unsaved session of that user."""
    data = {
        SESSION_KEY: str(user.pk),
        BACKEND_SESSION_KEY: "django.contrib.auth.backends.ModelBackend",
        HASH_SESSION_KEY: user.get_session_auth_hash(),
    }
    return Session(
        session_key=get_random_string(32, "abcdefghijklmnopqrstuvwxyz0123456789"),
        session_data=Session.get_session_store_class()().encode(data),
        expire_date=timezone.now() + timedelta(days=1),
    )


def fill(rooms, members, history):
    """Fill the database; return the id of each room and the session keys of its members."""
    filled = []
    for number in range(rooms):
        room = Room.objects.create(name=f"Room {number}")
        names = [f"member-{room.pk}-{n}" for n in range(members)]
        users = User.objects.bulk_create(User(username=name, password="!") for name in names)
        room.users.set(users)
        sessions = Session.objects.bulk_create(map(sign_in, users))
        filled.append([room.pk, [session.session_key for session in sessions]])
        if history and not number:
            add_alerts(room, users[0], history)
    return filled


def add_alerts(room, user, count):
    """Save `count` alerts by that user in the room, with its next numbers."""
    first = room.last_seq + 1
    Alert.objects.bulk_create(
        Alert(room=room, seq=seq, user=user, content=f"number {seq}", client_id=uuid.uuid4())
        for seq in range(first, first + count)
    )
    Room.objects.filter(pk=room.pk).update(last_seq=room.last_seq + count)


if __name__ == "__main__":
    call_command("migrate", verbosity=0)
    sys.stdout.write(json.dumps(fill(*map(int, sys.argv[1:]))))
    connections.close_all()  # SQLite moves its write-ahead log into the file, which is copied
