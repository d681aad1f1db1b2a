"""The users and rooms that every chapter of the course counts on."""

from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand
from django.db import transaction

from chat.models import Room

PASSWORD = "channels"
ROOMS_OF = {
    "alice": ["General", "Workshop"],
    "bob": ["General"],
    "carol": ["Workshop"],
}
SUPERUSER = "teacher"


class Command(BaseCommand):
    help = "Create the demo users and rooms. What is there already stays as it is."

    @transaction.atomic
    def handle(self, *args, **options):
        for username, room_names in ROOMS_OF.items():
            user = self.get_user(username)
            for name in room_names:
                room, _ = Room.objects.get_or_create(name=name)
                room.users.add(user)
        self.get_user(SUPERUSER, is_staff=True, is_superuser=True)
        self.stdout.write(f"Sign in as alice, bob, carol or teacher; the password is {PASSWORD}.")

    def get_user(self, username, **fields):
        """Return the user of that name; a missing one is created with the demo password."""
        users = get_user_model().objects
        user = users.filter(username=username).first()
        return user or users.create_user(username, password=PASSWORD, **fields)
