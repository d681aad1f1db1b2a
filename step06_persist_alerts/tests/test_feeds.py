import asyncio
import os

import pytest
from asgiref.sync import sync_to_async
from channels.layers import get_channel_layer
from channels.testing import WebsocketCommunicator
from django.db import OperationalError
from redis import Redis

from alert import feeds
from alert.feeds import RoomFeed
from alert.posting import post_alert, save_alert
from mychannels.routing import application

from .servers import wait_until
from .sockets import TIMEOUT

HOUR = 3600  # seconds: a feed that looks so rarely has to be woken by the bell


async def test_bell_brings_an_alert_without_waiting_for_the_next_look(
    monkeypatch, communicator, general, alice
):
    await sync_to_async(save_alert)(general, alice, "found by a look")
    await communicator.receive_json_from(TIMEOUT)
    monkeypatch.setattr(feeds, "LOOK_EVERY", HOUR)
    await sync_to_async(post_alert)(general, alice, "perhaps by a look")
    await communicator.receive_json_from(TIMEOUT)
    await sync_to_async(post_alert)(general, alice, "by the bell")
    assert (await communicator.receive_json_from(TIMEOUT))["message"] == "by the bell"


async def test_look_finds_an_alert_for_which_no_bell_rang(communicator, general, alice):
    await sync_to_async(save_alert)(general, alice, "no bell")
    assert (await communicator.receive_json_from(TIMEOUT))["message"] == "no bell"


async def test_feed_goes_on_after_the_database_could_not_be_read(
    communicator, general, alice, monkeypatch
):
    load_frames, failures = feeds.load_frames, []

    async def fail_once(room, after):
        if not failures:
            failures.append(OperationalError("database is locked"))
            raise failures[0]
        return await load_frames(room, after)

    monkeypatch.setattr(feeds, "load_frames", fail_once)
    await sync_to_async(post_alert)(general, alice, "read later")
    assert (await communicator.receive_json_from(TIMEOUT))["message"] == "read later"
    assert failures


async def test_feed_is_in_its_group_again_after_redis_was_emptied(communicator, general):
    with Redis.from_url(os.environ["REDIS_URL"]) as redis:
        await sync_to_async(redis.flushall)()
        await asyncio.to_thread(wait_until, lambda: redis.keys(f"*{general.group_name}"))


async def test_feed_ends_with_the_last_socket_and_leaves_its_group(headers, general, monkeypatch):
    layer = get_channel_layer()
    group_discard, discarded = layer.group_discard, asyncio.Event()

    async def discard_and_tell(group, channel):
        await group_discard(group, channel)
        discarded.set()

    monkeypatch.setattr(layer, "group_discard", discard_and_tell)
    path = f"/ws/chat/room/{general.pk}"
    communicator = WebsocketCommunicator(application, path, headers("alice"))
    await communicator.connect(TIMEOUT)
    feed = RoomFeed.of_room[general.pk]
    await communicator.disconnect(timeout=TIMEOUT)
    assert general.pk not in RoomFeed.of_room
    async with asyncio.timeout(TIMEOUT):
        await discarded.wait()
    await layer.group_send(general.group_name, {"type": "to.the.group"})
    await layer.send(feed.channel, {"type": "to.the.feed"})
    assert await layer.receive(feed.channel) == {"type": "to.the.feed"}


@pytest.mark.parametrize("name", ["alice", "bob"])
async def test_sockets_of_a_room_share_one_feed(communicator, headers, general, name):
    feed = RoomFeed.of_room[general.pk]
    path = f"/ws/alert/room/{general.pk}"
    other = WebsocketCommunicator(application, path, headers(name))
    await other.connect(TIMEOUT)
    assert RoomFeed.of_room[general.pk] is feed
    assert len(feed.sockets) == 2
    await other.disconnect(timeout=TIMEOUT)
    assert len(feed.sockets) == 1


async def test_message_is_announced_to_the_feeds_of_other_processes(communicator, general):
    layer = get_channel_layer()
    channel = await layer.new_channel()
    await layer.group_add(general.group_name, channel)
    await communicator.send_json_to({"message": "hi"})
    async with asyncio.timeout(TIMEOUT):
        event = await layer.receive(channel)
    assert event == {"type": "room_bell", "seq": 1}


async def test_messages_while_the_bell_rings_are_announced_together(
    communicator, general, monkeypatch
):
    rung, go_on, rung_again = [], asyncio.Event(), asyncio.Event()

    async def ring_slowly(room, seq):
        rung.append(seq)
        if len(rung) > 1:
            rung_again.set()
        await go_on.wait()

    monkeypatch.setattr(feeds, "ring", ring_slowly)
    for n in range(5):
        await communicator.send_json_to({"message": f"{n}"})
    for _ in range(10):  # an ack and a message for each
        await communicator.receive_json_from(TIMEOUT)
    assert len(rung) == 1
    go_on.set()
    async with asyncio.timeout(TIMEOUT):
        await rung_again.wait()
    assert rung[1:] == [5]


async def test_message_reaches_the_sockets_of_its_process_without_redis(
    communicator, general, alice, monkeypatch
):
    async def ring_for_nobody(room, seq):
        pass

    monkeypatch.setattr(feeds, "ring", ring_for_nobody)
    monkeypatch.setattr(feeds, "LOOK_EVERY", HOUR)
    await sync_to_async(save_alert)(general, alice, "found by the last look")
    await communicator.receive_json_from(TIMEOUT)
    await communicator.send_json_to({"message": "hi"})
    frames = [await communicator.receive_json_from(TIMEOUT) for _ in range(2)]
    assert [frame["msg_type"] for frame in frames] == ["ack", "message"]


async def test_feed_that_breaks_closes_its_sockets_and_the_next_has_a_new_one(
    communicator, headers, general, monkeypatch
):
    def break_down(*args):
        raise RuntimeError("something nobody has thought of")

    broken = RoomFeed.of_room[general.pk]
    monkeypatch.setattr(feeds, "sessions_in", break_down)
    assert await communicator.receive_output(TIMEOUT) == {"type": "websocket.close", "code": 4503}
    monkeypatch.undo()
    other = WebsocketCommunicator(application, f"/ws/chat/room/{general.pk}", headers("alice"))
    await other.connect(TIMEOUT)
    assert RoomFeed.of_room[general.pk] is not broken
    await other.disconnect(timeout=TIMEOUT)
