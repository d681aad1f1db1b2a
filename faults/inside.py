"""Run in a step's folder with its settings: `python -m faults.inside prepare` or `stored`."""

import json
import sys

import django
from django.core.management import call_command

django.setup()

from django.test import Client  # noqa: E402

from alert.models import Alert  # noqa: E402
from chat.models import Room  # noqa: E402
from faults import ROOM  # noqa: E402


def prepare():
    """Create tables and demo data; return the Cookie headers of the room's members."""
    for command in ["migrate", "demo"]:
        call_command(command, verbosity=0)
    return [cookie_of(user) for user in Room.objects.get(pk=ROOM).users.order_by("pk")]


def cookie_of(user):
    client = Client()
    client.force_login(user)
    return client.cookies.output(attrs=[], header="").strip()


def stored():
    """Return the stored messages as frames."""
    alerts = Alert.objects.filter(room_id=ROOM).select_related("user")
    return [alert.as_frame() for alert in alerts]


if __name__ == "__main__":
    print(json.dumps({"prepare": prepare, "stored": stored}[sys.argv[1]]()))  # noqa: T201
