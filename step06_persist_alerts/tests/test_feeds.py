import asyncio
import os
import threading
from uuid import uuid4

import pytest
import pytest_asyncio
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


@pytest.fixture
def one_look(monkeypatch):
    """Let feeds look once, when they begin; return an event that says that they have."""
    load_frames, over = feeds.load_frames, asyncio.Event()

    async def load_and_tell(room, after):
        frames = await load_frames(room, after)
        over.set()
        return frames

    monkeypatch.setattr(feeds, "LOOK_EVERY", HOUR)
    monkeypatch.setattr(feeds, "load_frames", load_and_tell)
    return over


@pytest_asyncio.fixture
async def settled(one_look, communicator):
    """Alice's connection to the consumer of General, whose feed doesn't look any more."""
    async with asyncio.timeout(TIMEOUT):
        await one_look.wait()
    return communicator


async def say(communicator, message, client_id=None):
    """Send a message; return the types and numbers of the next two frames."""
    await communicator.send_json_to({"message": message, "client_id": client_id})
    frames = [await communicator.receive_json_from(TIMEOUT) for _ in range(2)]
    return [(frame["msg_type"], frame["seq"]) for frame in frames]


async def test_own_message_is_not_read_again(settled, general, monkeypatch):
    await say(settled, "one")
    load_frames = feeds.load_frames
    monkeypatch.setattr(feeds, "load_frames", None)  # whatever calls it fails
    await settled.send_json_to({"message": "two", "client_id": str(uuid4())})
    await settled.receive_json_from(TIMEOUT)
    frame = await settled.receive_output(TIMEOUT)
    assert await load_frames(general, 1) == [(2, frame["text"])]


async def test_message_of_another_process_comes_before_an_own_one_that_follows_it(
    settled, general, alice
):
    await say(settled, "one")
    await sync_to_async(save_alert)(general, alice, "two, without a bell")
    assert await say(settled, "three") == [("ack", 3), ("message", 2)]
    assert (await settled.receive_json_from(TIMEOUT))["seq"] == 3


async def test_message_sent_again_brings_the_one_whose_bell_got_lost(settled, general, alice):
    await say(settled, "one")
    client_id = uuid4()
    await sync_to_async(save_alert)(general, alice, "two", client_id)
    assert await say(settled, "two", str(client_id)) == [("ack", 2), ("message", 2)]


async def test_message_that_is_read_late_does_not_come_twice(settled, general, alice, monkeypatch):
    await say(settled, "one")
    load_frames, reading, go_on = feeds.load_frames, asyncio.Event(), asyncio.Event()

    async def load_slowly(room, after):
        frames = await load_frames(room, after)
        reading.set()
        await go_on.wait()
        return frames

    monkeypatch.setattr(feeds, "load_frames", load_slowly)
    await sync_to_async(post_alert)(general, alice, "two")
    async with asyncio.timeout(TIMEOUT):
        await reading.wait()
    feed = RoomFeed.of_room[general.pk]
    feed.take(await load_frames(general, 1))
    assert await say(settled, "three") == [("message", 2), ("ack", 3)]
    go_on.set()
    assert (await settled.receive_json_from(TIMEOUT))["seq"] == 3
    assert sorted(await say(settled, "four")) == [("ack", 4), ("message", 4)]
    assert [seq for seq, _ in feed.frames] == [1, 2, 3, 4]


class SlowSave:
    """Stands for save_alerts, and waits before each transaction until it may go on."""

    def __init__(self):
        self.save, self.batches = feeds.save_alerts, []
        self.begun, self.go_on = threading.Event(), threading.Event()

    def __call__(self, room, drafts):
        self.batches.append([content for _, content, _ in drafts])
        self.begun.set()
        assert self.go_on.wait(TIMEOUT)
        return self.save(room, drafts)


@pytest.fixture
def slow_save(monkeypatch):
    slow = SlowSave()
    monkeypatch.setattr(feeds, "save_alerts", slow)
    return slow


async def test_messages_that_wait_are_saved_in_one_transaction(
    communicator, general, alice, slow_save
):
    feed = RoomFeed.of_room[general.pk]
    saves = [asyncio.create_task(feed.save(alice, "one", None))]
    assert await asyncio.to_thread(slow_save.begun.wait, TIMEOUT)
    saves += [asyncio.create_task(feed.save(alice, text, None)) for text in ["two", "three"]]
    await asyncio.sleep(0)  # so that they wait
    slow_save.go_on.set()
    async with asyncio.timeout(TIMEOUT):
        alerts = await asyncio.gather(*saves)
    assert slow_save.batches == [["one"], ["two", "three"]]
    assert [(alert.seq, alert.content) for alert in alerts] == [
        (1, "one"),
        (2, "two"),
        (3, "three"),
    ]


async def test_message_is_saved_although_the_one_it_is_saved_with_is_not_wanted_any_more(
    communicator, general, alice, slow_save
):
    feed = RoomFeed.of_room[general.pk]
    first, second = (asyncio.create_task(feed.save(alice, text, None)) for text in ["one", "two"])
    assert await asyncio.to_thread(slow_save.begun.wait, TIMEOUT)
    first.cancel()
    slow_save.go_on.set()
    async with asyncio.timeout(TIMEOUT):
        assert (await second).seq == 2


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


async def test_bell_pauses_between_two_messages(communicator, monkeypatch):
    rung, has_rung = [], asyncio.Event()

    async def ring_and_tell(room, seq):
        rung.append(seq)
        has_rung.set()

    monkeypatch.setattr(feeds, "ring", ring_and_tell)
    monkeypatch.setattr(feeds, "BELL_PAUSE", HOUR)
    for n in range(3):
        await communicator.send_json_to({"message": f"{n}"})
        for _ in range(2):
            await communicator.receive_json_from(TIMEOUT)
        async with asyncio.timeout(TIMEOUT):
            await has_rung.wait()
    assert rung == [1]


async def test_message_reaches_the_sockets_of_its_process_without_redis(settled, monkeypatch):
    async def ring_for_nobody(room, seq):
        pass

    monkeypatch.setattr(feeds, "ring", ring_for_nobody)
    assert await say(settled, "one") == [("ack", 1), ("message", 1)]
    assert await say(settled, "two") == [("ack", 2), ("message", 2)]


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
