from datetime import timedelta

import pytest
from django.contrib.auth import update_session_auth_hash
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.test import RequestFactory
from django.utils import timezone
from websockets.exceptions import ConnectionClosed

from alert.models import Alert
from chat.access import still_allowed

from .sessions import session_of
from .sockets import TIMEOUT

FORBIDDEN = 4403


def remove_from_room(bob, room):
    room.users.remove(bob)


def deactivate(bob, room):
    User.objects.filter(pk=bob.pk).update(is_active=False)


def change_password(bob, room):
    bob.set_password("another one")
    bob.save()


def sign_out(bob, room):
    for session in Session.objects.all():
        if session.get_decoded()["_auth_user_id"] == str(bob.pk):
            session.delete()


def let_session_expire(bob, room):
    Session.objects.update(expire_date=timezone.now() - timedelta(seconds=1))


WAYS_OUT = [remove_from_room, deactivate, change_password, sign_out, let_session_expire]


@pytest.fixture
def bob(db):
    return User.objects.get(username="bob")


@pytest.fixture
def session(demo):
    """The key of a session of bob."""
    return session_of("bob")


def close_code(socket):
    """Return the code with which the server closes the socket, after whatever it sends before."""
    try:
        while True:
            socket.receive()
    except ConnectionClosed as closed:
        return closed.rcvd.code


@pytest.mark.parametrize("way_out", WAYS_OUT)
def test_open_sockets_are_closed_in_every_process(connect, second_server, general, bob, way_out):
    sockets = [connect("bob"), connect("bob", server=second_server)]
    for socket in sockets:
        socket.receive("synced")
    way_out(bob, general)
    assert [close_code(socket) for socket in sockets] == [FORBIDDEN, FORBIDDEN]


def test_open_feed_of_alerts_is_closed_too(connect, general, bob):
    socket = connect("bob", f"ws/alert/room/{general.pk}")
    socket.receive("synced")
    general.users.remove(bob)
    assert close_code(socket) == FORBIDDEN


def test_sign_out_by_the_button_closes_the_socket(connect, client, bob):
    socket = connect("bob")
    client.cookies["sessionid"] = Session.objects.get().pk
    client.post("/accounts/logout/")
    assert close_code(socket) == FORBIDDEN


def test_others_go_on_when_one_is_removed(connect, general, bob):
    alice, socket = connect("alice"), connect("bob")
    general.users.remove(bob)
    close_code(socket)
    alice.send({"message": "still here"})
    assert alice.next_message() == "still here"


def test_sign_out_leaves_the_sockets_of_other_sessions_open(connect, general, bob):
    first, second = connect("bob"), connect("bob")
    session = first.connection.request.headers["Cookie"].removeprefix("sessionid=")
    Session.objects.filter(pk=session).delete()
    assert close_code(first) == FORBIDDEN
    second.send({"message": "still here"})
    assert second.next_message() == "still here"


async def test_frame_after_the_end_of_access_is_not_saved(communicator, general, alice):
    await general.users.aremove(alice)
    assert await communicator.receive_output(TIMEOUT) == {
        "type": "websocket.close",
        "code": FORBIDDEN,
    }
    await communicator.send_json_to({"message": "too late"})
    await communicator.disconnect(timeout=TIMEOUT)
    assert not await Alert.objects.aexists()


def test_session_of_a_member_is_in_the_room(session, general):
    assert still_allowed({(session, general.pk)}) == {(session, general.pk)}


def test_session_of_a_non_member_is_not_in_the_room(session, workshop):
    assert still_allowed({(session, workshop.pk)}) == set()


@pytest.mark.parametrize("way_out", WAYS_OUT)
def test_session_is_not_in_the_room_any_more(session, general, bob, way_out):
    way_out(bob, general)
    assert still_allowed({(session, general.pk)}) == set()


def test_session_without_a_user_is_not_in_the_room(demo, client, general):
    anonymous = client.session
    anonymous["theme"] = "dark"
    anonymous.save()
    assert still_allowed({(anonymous.session_key, general.pk)}) == set()


def test_session_that_has_followed_a_change_of_password_is_in_the_room(demo, client, general, bob):
    client.force_login(bob)
    request = RequestFactory().get("/")
    request.session, request.user = client.session, bob
    change_password(bob, general)
    update_session_auth_hash(request, bob)
    request.session.save()
    place = request.session.session_key, general.pk
    assert still_allowed({place}) == {place}


def test_sessions_of_all_rooms_are_looked_up_by_three_queries(
    demo, general, workshop, django_assert_num_queries
):
    alice, bob, carol = ({session_of(name) for _ in range(5)} for name in ["alice", "bob", "carol"])
    places = {(key, room.pk) for key in alice | bob | carol for room in [general, workshop]}
    with django_assert_num_queries(3):
        allowed = still_allowed(places)
    assert {key for key, room_id in allowed if room_id == general.pk} == alice | bob
    assert {key for key, room_id in allowed if room_id == workshop.pk} == alice | carol
