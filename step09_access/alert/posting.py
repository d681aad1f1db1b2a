"""New alerts: saved first, then announced to their room."""

from asgiref.sync import async_to_sync
from django.db import transaction

from chat.models import Room

from .listener import notify
from .models import Alert


@transaction.atomic
def save_alert(room, user, content, client_id=None):
    """Save an alert under the next number of the room; return it and True.

    For a `client_id` that the user has sent to this room before, return that alert and False.
    Raises Room.DoesNotExist when the room has been deleted.
    """
    room = Room.objects.select_for_update().get(pk=room.pk)  # numbers are given one at a time
    if client_id:
        sent_before = Alert.objects.filter(room=room, user=user, client_id=client_id)
        if alert := sent_before.select_related("room", "user").first():
            return alert, False
    room.last_seq += 1
    room.save(update_fields=["last_seq"])
    alert = Alert.objects.create(
        room=room, seq=room.last_seq, user=user, content=content, client_id=client_id
    )
    return alert, True


@transaction.atomic
def post_alert(room, user, content, client_id=None):
    """Do what save_alert does, from synchronous code, and announce the alert after the commit."""
    alert, created = save_alert(room, user, content, client_id)
    # robust: an alert that can't be sent is stored all the same
    transaction.on_commit(lambda: async_to_sync(notify)([(room.pk, alert.seq)]), robust=True)
    return alert, created
