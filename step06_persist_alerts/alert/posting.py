"""New alerts: saved first, then announced to their room."""

from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer
from django.db import transaction

from .models import Alert


def save_alert(room, user, content):
    """Save an alert and return it."""
    return Alert.objects.create(room=room, user=user, content=content)


async def send_alert(alert):
    """Send an alert to every socket of its room."""
    event = {"type": "chat_message", "frame": alert.as_frame()}
    await get_channel_layer().group_send(alert.room.group_name, event)


@transaction.atomic
def post_alert(room, user, content):
    """Save an alert from synchronous code, announce it after the commit, and return it."""
    alert = save_alert(room, user, content)
    # robust: an alert that can't be sent is stored all the same
    transaction.on_commit(lambda: async_to_sync(send_alert)(alert), robust=True)
    return alert
