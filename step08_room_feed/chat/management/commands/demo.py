"""The users and rooms that every chapter of the course relies on."""

from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand
from django.db import transaction

from chat.models import Room

PASSWORD = "channels"
MEMBERS = {
    "General": ["alice", "bob"],
    "Workshop": ["alice", "carol"],
}
SUPERUSER = "teacher"


class Command(BaseCommand):
    help = "Create the demo users and rooms in a database that has no users and no rooms."

    @transaction.atomic
    def handle(self, *args, **options):
        users = get_user_model().objects
        if users.exists() or Room.objects.exists():
            return  # what a person added, renamed or removed stays so
        for name, usernames in MEMBERS.items():
            room = Room.objects.create(name=name)
            for username in usernames:
                member = users.filter(username=username).first()
                room.users.add(member or users.create_user(username, password=PASSWORD))
        users.create_superuser(SUPERUSER, password=PASSWORD)
        if options["verbosity"]:
            self.stdout.write(f"Created the demo users and rooms; the password is {PASSWORD}.")
