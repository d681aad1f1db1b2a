import json
from types import SimpleNamespace
from uuid import uuid4

import pytest
from asgiref.sync import sync_to_async
from channels.testing import WebsocketCommunicator

from alert.posting import save_alert
from chat import limits
from chat.consumers import ChatConsumer
from chat.limits import TokenBucket
from mychannels.routing import application

from .servers import run_server
from .sockets import TIMEOUT, close_code


@pytest.fixture
def clock(monkeypatch):
    """The time, in seconds, that the limits go by."""
    clock = SimpleNamespace(now=100.0)
    monkeypatch.setattr(limits, "time", SimpleNamespace(monotonic=lambda: clock.now))
    return clock


def test_bucket_allows_a_burst_and_then_one_frame_at_a_time(clock):
    bucket = TokenBucket(per_second=10, burst=3)
    assert [bucket.take() for _ in range(4)] == [True, True, True, False]
    clock.now += 0.09
    assert not bucket.take()
    clock.now += 0.02
    assert [bucket.take(), bucket.take()] == [True, False]


def test_bucket_saves_up_no_more_than_a_burst(clock):
    bucket = TokenBucket(per_second=10, burst=3)
    clock.now += 3600
    assert [bucket.take() for _ in range(4)] == [True, True, True, False]


async def test_frame_after_a_burst_of_20_is_refused_until_later(clock, join):
    alice, client_id = await join("alice"), str(uuid4())
    await alice.receive_json_from(TIMEOUT)
    for _ in range(20):
        await alice.send_to(text_data="bad frames count too")
    for _ in range(20):
        assert (await alice.receive_json_from(TIMEOUT))["code"] == "bad_json"
    await alice.send_json_to({"message": "hi", "client_id": client_id})
    error = await alice.receive_json_from(TIMEOUT)
    assert (error["code"], error["client_id"]) == ("rate_limited", client_id)
    clock.now += 0.11  # 10 frames a second
    await alice.send_json_to({"message": "hi", "client_id": client_id})
    frames = [await alice.receive_json_from(TIMEOUT) for _ in range(2)]
    assert sorted(frame["msg_type"] for frame in frames) == ["ack", "message"]


@pytest.fixture
def try_to_join(headers, general):
    """A coroutine function that returns whether a user gets one more socket; it's closed again."""

    async def handshake(username, room=general):
        path = f"/ws/chat/room/{room.pk}"
        communicator = WebsocketCommunicator(application, path, headers(username))
        connected, _ = await communicator.connect(TIMEOUT)
        await communicator.disconnect(timeout=TIMEOUT)
        return connected

    return handshake


async def test_21st_socket_of_a_user_is_refused_until_another_closes(join, try_to_join):
    sockets = [await join("alice") for _ in range(20)]
    assert not await try_to_join("alice")
    assert await try_to_join("bob")
    await sockets[0].disconnect(timeout=TIMEOUT)
    assert await try_to_join("alice")


async def test_socket_that_ends_with_an_error_makes_room_for_another(
    join, try_to_join, settings, monkeypatch
):
    async def fail(self, **frame):
        raise RuntimeError("a bug")

    settings.SOCKETS_PER_USER = 1
    monkeypatch.setattr(ChatConsumer, "receive", fail)
    alice = await join("alice")
    assert not await try_to_join("alice")
    await alice.send_json_to({"message": "hi"})
    with pytest.raises(RuntimeError, match="a bug"):
        await alice.wait(TIMEOUT)
    assert await try_to_join("alice")


async def test_refused_handshakes_do_not_count(own_layer, try_to_join, settings, workshop):
    settings.SOCKETS_PER_USER = 1
    assert not await try_to_join("bob", workshop)
    assert await try_to_join("bob")


async def test_nothing_follows_when_a_socket_has_received_enough(join, general, alice, settings):
    settings.BYTES_PER_SOCKET = 10
    for message in ["one", "two"]:
        await sync_to_async(save_alert)(general, alice, message)
    bob = await join("bob")
    assert (await bob.receive_json_from(TIMEOUT))["message"] == "one"
    assert (await bob.receive_output(TIMEOUT))["type"] == "websocket.close"
    assert await bob.receive_nothing()


def test_client_of_a_socket_that_has_received_enough_comes_back(
    live_demo, connect, general, alice, tmp_path
):
    for n in range(20):
        save_alert(general, alice, f"{n}")
    limit, seqs = 1000, []
    with run_server(tmp_path / "log", BYTES_PER_SOCKET=str(limit)) as server:
        while len(seqs) < 20:
            path = f"ws/chat/room/{general.pk}?after={len(seqs)}"
            bob, received = connect("bob", path, server=server), 0
            while received <= limit and len(seqs) < 20:
                frame = bob.connection.recv(TIMEOUT)
                received += len(frame)
                seqs.append(json.loads(frame)["seq"])
            if received > limit:
                assert close_code(bob) == 1000
    assert seqs == list(range(1, 21))
