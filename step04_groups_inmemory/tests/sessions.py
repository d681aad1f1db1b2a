"""Signed-in users without the detour over the login page."""

from django.conf import settings
from django.contrib.auth.models import User
from django.test import Client


def session_of(username):
    """Return the value of the session cookie for a new session of that user."""
    client = Client()
    client.force_login(User.objects.get(username=username))
    return client.cookies[settings.SESSION_COOKIE_NAME].value


def cookie_of(username):
    """Return the Cookie header of a new session of that user."""
    return f"{settings.SESSION_COOKIE_NAME}={session_of(username)}"
