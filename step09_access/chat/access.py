"""Who still has access: a socket may stay open after its session or its membership has ended."""

from channels.db import database_sync_to_async
from django.contrib.auth import HASH_SESSION_KEY, SESSION_KEY, get_user_model
from django.contrib.sessions.models import Session
from django.utils import timezone
from django.utils.crypto import constant_time_compare

from .models import Room

FORBIDDEN = 4403  # the close code that means what 403 means in HTTP


async def close_forbidden(sockets):
    """Close those consumers whose session no longer gives access to their room."""
    allowed = await find_allowed({(socket.session_key, socket.room.pk) for socket in sockets})
    for socket in sockets:
        if (socket.session_key, socket.room.pk) not in allowed:
            await socket.close(FORBIDDEN)


@database_sync_to_async
def find_allowed(pairs):
    """Return those pairs of session key and room id that still give access, in three queries.

    Signing out deletes a session; a new password makes its hash invalid.
    """
    keys = {key for key, _ in pairs}
    sessions = Session.objects.filter(pk__in=keys, expire_date__gt=timezone.now())
    data = {session.pk: session.get_decoded() for session in sessions}
    user_ids = {each[SESSION_KEY] for each in data.values() if SESSION_KEY in each}
    users = get_user_model().objects.filter(pk__in=user_ids, is_active=True)
    hashes = {str(user.pk): user.get_session_auth_hash() for user in users}
    memberships = Room.users.through.objects.filter(user__in=hashes).values_list("user", "room")
    rooms = {(str(user_id), room_id) for user_id, room_id in memberships}
    return {
        (key, room_id)
        for key, room_id in pairs
        if (user_id := data.get(key, {}).get(SESSION_KEY)) in hashes
        and constant_time_compare(data[key].get(HASH_SESSION_KEY, ""), hashes[user_id])
        and (user_id, room_id) in rooms
    }
