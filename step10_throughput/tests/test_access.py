from datetime import timedelta

import pytest
from asgiref.sync import sync_to_async
from django.conf import settings
from django.contrib.auth import update_session_auth_hash
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.test import Client, RequestFactory
from django.utils import timezone

from alert import listener
from alert.models import Alert
from chat.access import find_allowed

from .sessions import session_of
from .sockets import TIMEOUT, close_code

FORBIDDEN = 4403
CLOSED = {"type": "websocket.close", "code": FORBIDDEN}


def remove_from_room(bob, room):
    room.users.remove(bob)


def deactivate(bob, room):
    User.objects.filter(pk=bob.pk).update(is_active=False)


def change_password(bob, room):
    bob.set_password("another one")
    bob.save()


def sign_out(bob, room):
    client = Client()
    client.cookies[settings.SESSION_COOKIE_NAME] = session_keys(bob)[0]
    client.post("/accounts/logout/")


def let_session_expire(bob, room):
    Session.objects.update(expire_date=timezone.now() - timedelta(seconds=1))


def delete_room(bob, room):
    room.delete()


WAYS_OUT = [
    remove_from_room,
    deactivate,
    change_password,
    sign_out,
    let_session_expire,
    delete_room,
]


def session_keys(user):
    """Return the keys of the user's sessions."""
    return [
        session.pk
        for session in Session.objects.all()
        if session.get_decoded().get("_auth_user_id") == str(user.pk)
    ]


@pytest.fixture
def bob(db):
    return User.objects.get(username="bob")


@pytest.mark.parametrize("way_out", WAYS_OUT)
async def test_socket_without_access_is_closed_once(frequent_polls, join, general, bob, way_out):
    chat, alerts = await join("bob"), await join("bob", f"ws/alert/room/{general.pk}")
    for socket in [chat, alerts]:
        assert (await socket.receive_json_from(TIMEOUT))["msg_type"] == "synced"
    await sync_to_async(way_out)(bob, general)
    for socket in [chat, alerts]:
        assert await socket.receive_output(TIMEOUT) == CLOSED
        assert await socket.receive_nothing()


async def test_nothing_is_sent_or_accepted_after_the_end_of_access(
    frequent_polls, join, general, bob
):
    alice, removed = await join("alice"), await join("bob")
    await removed.receive_json_from(TIMEOUT)
    await general.users.aremove(bob)
    assert await removed.receive_output(TIMEOUT) == CLOSED
    await removed.send_json_to({"message": "too late"})
    await removed.send_json_to({"sync": 0})
    await alice.send_json_to({"message": "bob has left"})
    while (await alice.receive_json_from(TIMEOUT))["msg_type"] != "message":
        pass
    assert await removed.receive_nothing()
    assert [alert.content async for alert in Alert.objects.all()] == ["bob has left"]


async def test_others_go_on_when_one_is_removed(frequent_polls, join, general, bob):
    alice, removed = await join("alice"), await join("bob")
    await removed.receive_json_from(TIMEOUT)
    await general.users.aremove(bob)
    assert await removed.receive_output(TIMEOUT) == CLOSED
    await alice.send_json_to({"message": "still here"})
    while (frame := await alice.receive_json_from(TIMEOUT))["msg_type"] != "message":
        pass
    assert frame["message"] == "still here"


def test_signing_out_closes_the_sockets_of_that_session_in_every_process(
    connect, second_server, bob
):
    assert listener.POLL_INTERVAL < 5  # seconds in which access ends
    sockets = [connect("bob", server=second_server), connect("bob")]
    for socket in sockets:
        socket.receive("synced")
    first, second = sockets
    key = first.connection.request.headers["Cookie"].split("=")[1]
    Session.objects.filter(pk=key).delete()
    assert close_code(first) == FORBIDDEN
    second.send({"message": "still here"})
    assert second.next_message() == "still here"


@pytest.mark.django_db(transaction=True)
async def test_session_that_follows_a_new_password_keeps_its_access(live_demo, general, bob):
    def follow():
        client = Client()
        client.force_login(bob)
        request = RequestFactory().get("/")
        request.session, request.user = client.session, bob
        change_password(bob, general)
        update_session_auth_hash(request, bob)
        request.session.save()
        return request.session.session_key

    pair = await sync_to_async(follow)(), general.pk
    assert await find_allowed({pair}) == {pair}


async def test_access_of_all_sockets_takes_three_queries(live_demo, general, workshop, queries):
    def sign_in():
        return {name: {session_of(name) for _ in range(3)} for name in ["alice", "bob", "carol"]}

    keys = await sync_to_async(sign_in)()
    rooms = {general.pk: keys["alice"] | keys["bob"], workshop.pk: keys["alice"] | keys["carol"]}
    everybody = keys["alice"] | keys["bob"] | keys["carol"]
    queries.clear()
    allowed = await find_allowed({(key, room_id) for key in everybody for room_id in rooms})
    assert len(queries) == 3
    assert allowed == {(key, room_id) for room_id, inside in rooms.items() for key in inside}
