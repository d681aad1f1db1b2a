"""Fill the database of a step: rooms, each with members of its own, who are signed in.

    python -m bench.fill ROOMS MEMBERS HISTORY

Prints JSON: for each room its id and the session keys of its members. HISTORY alerts are stored in
the first room.
"""

import json
import sys
from datetime import timedelta

import django
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.utils import timezone
from django.utils.crypto import get_random_string

django.setup()

from django.contrib.auth.models import User  # noqa: E402
from django.contrib.sessions.models import Session  # noqa: E402

from alert.models import Alert  # noqa: E402
from chat.models import Room  # noqa: E402


def sign_in(user):
    """Return a session of that user, not saved yet."""
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
    """Add all that; return the ids of the rooms and the session keys of the members of each."""
    filled = []
    for number in range(rooms):
        room = Room.objects.create(name=f"Room {number}")
        names = [f"member-{room.pk}-{n}" for n in range(members)]
        users = User.objects.bulk_create(User(username=name, password="!") for name in names)
        room.users.set(users)
        sessions = Session.objects.bulk_create(map(sign_in, users))
        filled.append([room.pk, [session.session_key for session in sessions]])
        if history and not number:
            Alert.objects.bulk_create(
                Alert(room=room, seq=seq, user=users[0], content=f"number {seq}")
                for seq in range(1, history + 1)
            )
            Room.objects.filter(pk=room.pk).update(last_seq=history)
    return filled


if __name__ == "__main__":
    sys.stdout.write(json.dumps(fill(*map(int, sys.argv[1:]))))
