import json
from contextlib import suppress
from uuid import uuid4

import pytest
from tests.servers import wait_until
from websockets.exceptions import ConnectionClosed, InvalidStatus

from .clients import daphne_of
from .conftest import ROOM


@pytest.fixture
def all_daphnes_run_again(site):
    """Start what the test killed."""
    yield
    for daphne in site.daphnes:
        if daphne.process.poll() is not None:
            daphne.start()


def connect_elsewhere(site, connect, client, daphne):
    """Return a socket of the client on another Daphne."""
    sockets = []

    def is_elsewhere():
        sockets.append(connect(client))
        return daphne_of(site, sockets[-1]) is not daphne or sockets[-1].close()

    wait_until(is_elsewhere)
    return sockets[-1]


def test_socket_from_our_own_page_is_accepted(site, connect, alice):
    assert connect(alice, origin=site.url).receive("synced")


@pytest.mark.parametrize("origin", ["https://foreign.example", "null", None])
def test_socket_from_a_foreign_page_is_refused(connect, alice, origin):
    with pytest.raises(InvalidStatus) as refusal:
        connect(alice, origin=origin)
    assert refusal.value.response.status_code == 403


def test_too_long_frame_gets_an_error_frame(connect, alice):
    socket = connect(alice)
    socket.send("x" * 4097)
    assert socket.receive("error")["code"] == "too_long"
    socket.send({"message": "still open"})
    assert socket.receive("ack")


def test_far_too_long_frame_ends_the_socket(connect, alice):
    socket = connect(alice)
    with suppress(ConnectionClosed):  # the socket may end before the whole frame is sent
        socket.send("x" * 65_537)
    with pytest.raises(ConnectionClosed):
        socket.receive("error")


def test_messages_cross_from_one_daphne_to_the_other(site, connect, alice, bob):
    alices = connect(alice)
    bobs = connect_elsewhere(site, connect, bob, daphne_of(site, alices))
    for socket in (alices, bobs):
        socket.receive("synced")
    alices.send({"message": "hi bob"})
    assert alices.next_message() == bobs.next_message() == "hi bob"
    bobs.send({"message": "hi alice"})
    assert alices.next_message() == bobs.next_message() == "hi alice"


def test_post_reaches_the_sockets_on_both_daphnes(site, connect, alice, bob):
    alices = connect(alice)
    bobs = connect_elsewhere(site, connect, bob, daphne_of(site, alices))
    for socket in (alices, bobs):
        socket.receive("synced")
    assert alice.post("/alert/room/1/", content="by post").status == 201
    assert alices.next_message() == bobs.next_message() == "by post"


def test_users_move_to_the_other_daphne_when_one_is_killed(
    site, all_daphnes_run_again, connect, alice, bob
):
    alices = connect(alice)
    first = alices.receive("synced")["seq"]
    killed = daphne_of(site, alices)
    bobs = connect_elsewhere(site, connect, bob, killed)
    messages = {str(uuid4()): f"alice {n}" for n in range(6)}
    frames = []  # what alice gets, from both Daphnes

    def send_unacked():
        for client_id in messages.keys() - acked(frames):
            alices.send({"message": messages[client_id], "client_id": client_id})

    send_unacked()
    read(alices, frames, until=lambda: acked(frames))
    killed.kill()
    read(alices, frames)
    bobs.send({"message": "bob, meanwhile"})

    last = max([first, *numbers(frames)])
    alices = connect(alice, f"{ROOM}?after={last}")
    assert daphne_of(site, alices) is not killed
    send_unacked()
    read(alices, frames, until=lambda: len(acked(frames)) == 6 and len(numbers(frames)) == 7)
    assert numbers(frames) == list(range(first + 1, first + 8))
    alerts = json.load(alice.get(f"/alert/room/1/?after={first}"))["alerts"]
    assert alerts == [frame for frame in frames if frame["msg_type"] == "message"]
    texts = [alert["message"] for alert in alerts]
    assert sorted(texts) == sorted([*messages.values(), "bob, meanwhile"])


def read(socket, frames, until=lambda: False):
    """Append the frames that arrive until that is true or the socket is lost."""
    with suppress(ConnectionClosed):
        while not until():
            frames.append(socket.receive())


def acked(frames):
    return {frame["client_id"] for frame in frames if frame["msg_type"] == "ack"}


def numbers(frames):
    return [frame["seq"] for frame in frames if frame["msg_type"] == "message"]
