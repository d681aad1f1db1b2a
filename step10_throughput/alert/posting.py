"""New alerts: saved first, then announced to their room."""

from asgiref.sync import async_to_sync
from django.db import transaction

from chat.models import Room

from .listener import notify
from .models import Alert


def save_alert(room, user, content, client_id=None):
    """Save an alert under the next number of the room; return it and True.

    For a `client_id` that the user has sent to this room before, return that alert and False.
    Raises Room.DoesNotExist when the room has been deleted.
    """
    return save_alerts([(room, user, content, client_id)])[0]


@transaction.atomic
def save_alerts(messages):
    """Do what save_alert does for each message, a tuple of its arguments: for all or for none."""
    ids = {room.pk for room, *_ in messages}
    # In the order of their ids, so that two transactions never wait for each other's rooms.
    rooms = Room.objects.select_for_update().order_by("pk").in_bulk(ids)
    client_ids = {client_id for *_, client_id in messages if client_id}
    alerts = Alert.objects.filter(client_id__in=client_ids, room__in=rooms).select_related("user")
    sent_before = {(alert.room_id, alert.user_id, alert.client_id): alert for alert in alerts}
    saved = []
    for room, user, content, client_id in messages:
        if room.pk not in rooms:
            raise Room.DoesNotExist(f"Room {room.pk} has been deleted.")
        key = room.pk, user.pk, client_id
        alert = sent_before.get(key)
        if created := alert is None:
            rooms[room.pk].last_seq += 1
            seq = rooms[room.pk].last_seq
            alert = Alert(room=room, seq=seq, user=user, content=content, client_id=client_id)
            if client_id:
                sent_before[key] = alert
        saved.append((alert, created))
    Alert.objects.bulk_create([alert for alert, created in saved if created])
    Room.objects.bulk_create(
        rooms.values(), update_conflicts=True, unique_fields=["pk"], update_fields=["last_seq"]
    )
    return saved


@transaction.atomic
def post_alert(room, user, content, client_id=None):
    """Do what save_alert does, from synchronous code, and announce the alert after the commit."""
    alert, created = save_alert(room, user, content, client_id)
    # robust: an alert that can't be sent is stored all the same
    transaction.on_commit(lambda: async_to_sync(notify)([(room.pk, alert.seq)]), robust=True)
    return alert, created
