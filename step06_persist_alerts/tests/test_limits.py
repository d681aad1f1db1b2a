import asyncio
from contextlib import suppress

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from alert.posting import save_alert
from chat import limits
from chat.consumers import ChatConsumer
from chat.limits import Places, TokenBucket

from .servers import run_server, wait_until
from .sockets import TIMEOUT, history


@pytest.fixture
def clock(monkeypatch):
    """A list with one number: the seconds that the limits go by."""
    now = [100.0]
    monkeypatch.setattr(limits.time, "monotonic", lambda: now[0])
    return now


def test_burst_is_let_through_and_no_more(clock):
    bucket = TokenBucket(per_second=10, at_once=20)
    assert [bucket.take() for _ in range(21)] == [True] * 20 + [False]


def test_one_more_is_let_through_after_its_time(clock):
    bucket = TokenBucket(per_second=10, at_once=1)
    bucket.take()
    clock[0] += 0.09
    assert not bucket.take()
    clock[0] += 0.02
    assert bucket.take()


def test_time_without_frames_saves_up_no_more_than_a_burst(clock):
    bucket = TokenBucket(per_second=10, at_once=3)
    clock[0] += 3600
    assert [bucket.take() for _ in range(4)] == [True, True, True, False]


def test_too_many_frames_get_an_error_and_the_socket_lives_on(live_demo, connect, tmp_path):
    limit = {"FRAMES_AT_ONCE": "3", "FRAMES_PER_SECOND": "2"}
    with run_server(tmp_path / "log", **limit) as server:
        alice = connect("alice", server=server)
        for n in range(40):
            alice.send({"message": f"{n}"})
        assert alice.receive("error")["code"] == "rate_limited"
        while True:
            alice.send({"message": "calm again"})
            while (frame := alice.receive())["msg_type"] not in {"error", "message"}:
                pass
            if frame.get("message") == "calm again":
                break


def test_places_are_counted_for_each_user():
    places = Places()
    assert [places.take("alice", 2), places.take("alice", 2), places.take("alice", 2)] == [
        True,
        True,
        False,
    ]
    assert places.take("bob", 2)
    places.give_back("alice")
    assert places.take("alice", 2)


def test_place_that_was_given_back_leaves_nothing():
    places = Places()
    places.take("alice", 1)
    places.give_back("alice")
    assert not places.taken


def test_socket_beyond_the_limit_is_refused_until_another_closes(connect, server):
    alice = [connect("alice") for _ in range(20)]
    with pytest.raises(InvalidStatus) as refusal:
        connect("alice")
    assert refusal.value.response.status_code == 403
    assert history(connect("bob")) == ([], 0)
    alice[0].close()
    wait_until(lambda: opens(connect, "alice"))


def opens(connect, username):
    """Tell whether a socket opens for that user."""
    try:
        connect(username)
    except InvalidStatus:
        return False
    return True


def test_refused_sockets_take_no_places(live_demo, connect, workshop, tmp_path):
    with run_server(tmp_path / "log", SOCKETS_PER_USER="1") as server:
        for _ in range(3):
            with pytest.raises(InvalidStatus):
                connect("bob", f"ws/chat/room/{workshop.pk}", server=server)
        assert history(connect("bob", server=server)) == ([], 0)


def test_socket_that_has_got_very_much_is_closed_and_its_client_can_go_on(
    live_demo, connect, general, alice, tmp_path
):
    for n in range(100):
        save_alert(general, alice, f"{n}")
    numbers = []
    with run_server(tmp_path / "log", BYTES_PER_SOCKET="4000") as server:
        while len(numbers) < 100:
            after = numbers[-1] if numbers else 0
            socket = connect("bob", f"ws/chat/room/{general.pk}?after={after}", server=server)
            with suppress(ConnectionClosed):
                while len(numbers) < 100:
                    numbers.append(socket.receive("message")["seq"])
            assert len(numbers) - after < 30
    assert numbers == list(range(1, 101))


def answer_to(frame, socket):
    """Send a frame; return the type of its answer, before which the message itself may come."""
    socket.send(frame)
    while (msg_type := socket.receive()["msg_type"]) == "message":
        pass
    return msg_type


@pytest.mark.parametrize(("size", "answer"), [(4096, "ack"), (4097, "error")])
def test_frame_of_4096_bytes_is_taken_and_no_bigger_one(connect, size, answer):
    alice = connect("alice")
    history(alice)
    assert answer_to('{"message": "hi"}'.ljust(size), alice) == answer


@pytest.mark.parametrize(("length", "answer"), [(200, "ack"), (201, "error")])
def test_message_of_200_characters_is_taken_and_no_longer_one(connect, length, answer):
    alice = connect("alice")
    history(alice)
    assert answer_to({"message": "\N{GRINNING FACE}" * length}, alice) == answer


async def test_too_many_syncs_at_once_are_refused(communicator, monkeypatch):
    async def never(*args):
        await asyncio.Event().wait()

    monkeypatch.setattr(ChatConsumer, "replay", never)
    for _ in range(12):  # one is being answered, 10 wait
        await communicator.send_json_to({"sync": 0})
    error = await communicator.receive_json_from(TIMEOUT)
    assert (error["msg_type"], error["code"]) == ("error", "rate_limited")
