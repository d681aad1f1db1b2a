"""Who may still be in a room: a socket lives long, and its session may end before it does."""

from django.contrib.auth import HASH_SESSION_KEY, SESSION_KEY
from django.contrib.sessions.models import Session
from django.utils import timezone
from django.utils.crypto import constant_time_compare


def sessions_in(room, keys):
    """Return those of the session keys whose users may be in the room, by two queries for all.

    Who has signed out has no session any more, and one from before a change of the password
    doesn't count.
    """
    sessions = Session.objects.filter(pk__in=keys, expire_date__gt=timezone.now())
    decoded = {session.pk: session.get_decoded() for session in sessions}
    user_ids = {data[SESSION_KEY] for data in decoded.values() if SESSION_KEY in data}
    users = room.users.filter(pk__in=user_ids, is_active=True)
    hashes = {str(user.pk): user.get_session_auth_hash() for user in users}
    return {key for key, data in decoded.items() if is_valid(data, hashes)}


def is_valid(data, hashes):
    """Tell whether a session's data has the hash of its user, of all those by their ids."""
    auth_hash = hashes.get(data.get(SESSION_KEY), "")
    return bool(auth_hash) and constant_time_compare(data.get(HASH_SESSION_KEY, ""), auth_hash)
