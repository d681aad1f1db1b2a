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
    client_ids = [client_id for _, _, client_id in drafts if client_id]
    alerts = Alert.objects.filter(room=room, client_id__in=client_ids).select_related("user")
    sent_before = {(alert.user_id, alert.client_id): alert for alert in alerts}
    saved = []
    for user, content, client_id in drafts:
        alert = sent_before.get((user.pk, client_id))
        created = alert is None
        if created:
            room.last_seq += 1
            alert = Alert(
                room=room, seq=room.last_seq, user=user, content=content, client_id=client_id
            )
            if client_id:
                sent_before[user.pk, client_id] = alert
        saved.append((alert, created))
    Alert.objects.bulk_create([alert for alert, created in saved if created])
    room.save(update_fields=["last_seq"])
    return saved


@transaction.atomic
def post_alert(room, user, content, client_id=None):
    """Do what save_alert does, from synchronous code, and announce the alert when it is stored."""
    alert, created = save_alert(room, user, content, client_id)
    transaction.on_commit(partial(async_to_sync(ring), room, alert.seq))
    return alert, created
