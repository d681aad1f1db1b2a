"""Send a notice to a room from synchronous code, outside the server."""

from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer
from django.core.management.base import BaseCommand, CommandError

from chat.frames import FrameError, parse_message
from chat.models import Room


class Command(BaseCommand):
    help = "Send a notice to everyone who is connected to a room."

    def add_arguments(self, parser):
        parser.add_argument("room_id", type=int)
        parser.add_argument("message")

    def handle(self, *args, **options):
        room = Room.objects.filter(pk=options["room_id"]).first()
        if room is None:
            rooms = ", ".join(f"{room.pk} ({room})" for room in Room.objects.order_by("pk"))
            raise CommandError(f"No such room. Choose one of: {rooms or 'none yet'}.", returncode=2)
        try:
            message = parse_message(options)
        except FrameError as error:
            raise CommandError(str(error), returncode=2) from None
        event = {"type": "chat_notice", "room_id": room.pk, "message": message}
        async_to_sync(get_channel_layer().group_send)(room.group_name, event)
        self.stdout.write(f"Sent to {room}.")
