"""Post a message to a room from synchronous code, outside the server."""

from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError

from alert.posting import post_alert
from chat.frames import FrameError, parse_message
from chat.models import Room


class Command(BaseCommand):
    help = "Post a message to a room, for everyone who is connected to it or joins later."

    def add_arguments(self, parser):
        parser.add_argument("room_id", type=int)
        parser.add_argument("message")
        parser.add_argument("--user", help="the sender (default: the first superuser)")

    def handle(self, *args, **options):
        room = Room.objects.filter(pk=options["room_id"]).first()
        if room is None:
            rooms = ", ".join(f"{room.pk} ({room})" for room in Room.objects.order_by("pk"))
            raise CommandError(f"No such room. Choose one of: {rooms or 'none yet'}.", returncode=2)
        try:
            message = parse_message(options)
        except FrameError as error:
            raise CommandError(str(error), returncode=2) from None
        wanted = {"username": options["user"]} if options["user"] else {"is_superuser": True}
        user = get_user_model().objects.filter(**wanted).order_by("pk").first()
        if user is None:
            raise CommandError("No such user. Name one with --user.", returncode=2)
        post_alert(room, user, message)
        self.stdout.write(f"Sent to {room}.")
