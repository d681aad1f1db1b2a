"""Save alerts that no client is told of, so that all of them miss these.

    python -m bench.missed COUNT

They are in the first room, written by its first member.
"""

import sys

from bench.fill import add_alerts  # first: it sets Django up
from chat.models import Room

if __name__ == "__main__":
    room = Room.objects.first()
    add_alerts(room, room.users.first(), int(sys.argv[1]))
