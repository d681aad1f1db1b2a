"""New alerts: saved first, announced afterwards."""

from functools import partial

from asgiref.sync import async_to_sync
from django.db import transaction

from chat.models import Room

from .bell import ring
from .models import Alert


def save_alert(room, user, content, client_id=None):
    """Save an alert under the next number of the room.

    Returns the alert and True; for a `client_id` that the user has sent to this room before, the
    alert that was saved then and False.
    """
    return save_alerts(room, [(user, content, client_id)])[0]


@transaction.atomic
def save_alerts(room, drafts):
    """Do what save_alert does for many drafts, its other arguments; save all of them or none."""
    room = Room.objects.select_for_update().get(pk=room.pk)  # one at a time: no number twice
    saved = []
    for user, content, client_id in drafts:
        alert = None
        if client_id:
            sent_before = Alert.objects.filter(room=room, user=user, client_id=client_id)
            alert = sent_before.select_related("user").first()
        created = alert is None
        if created:
            room.last_seq += 1
            alert = Alert.objects.create(
                room=room, seq=room.last_seq, user=user, content=content, client_id=client_id
            )
        saved.append((alert, created))
    room.save(update_fields=["last_seq"])
    return saved


@transaction.atomic
def post_alert(room, user, content, client_id=None):
    """Do what save_alert does, from synchronous code, and announce the alert when it is stored."""
    alert, created = save_alert(room, user, content, client_id)
    transaction.on_commit(partial(async_to_sync(ring), room, alert.seq))
    return alert, created
