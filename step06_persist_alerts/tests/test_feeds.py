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
from chat.consumers import ChatConsumer
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


async def test_messages_of_one_socket_share_a_transaction(communicator, general, slow_save):
    await communicator.send_json_to({"message": "one"})
    assert await asyncio.to_thread(slow_save.begun.wait, TIMEOUT)
    for text in ["two", "three"]:
        await communicator.send_json_to({"message": text})
    feed = RoomFeed.of_room[general.pk]
    await asyncio.to_thread(wait_until, lambda: len(feed.drafts) == 2)
    slow_save.go_on.set()
    frames = [await communicator.receive_json_from(TIMEOUT) for _ in range(6)]
    assert slow_save.batches == [["one"], ["two", "three"]]
    for msg_type in ["ack", "message"]:
        assert [f["seq"] for f in frames if f["msg_type"] == msg_type] == [1, 2, 3]


async def test_bad_frame_is_answered_after_the_message_before_it(communicator, slow_save):
    await communicator.send_json_to({"message": "good"})
    await communicator.send_json_to({"message": ""})
    assert await asyncio.to_thread(slow_save.begun.wait, TIMEOUT)
    slow_save.go_on.set()
    frames = [await communicator.receive_json_from(TIMEOUT) for _ in range(3)]
    answers = [frame["msg_type"] for frame in frames if frame["msg_type"] != "message"]
    assert answers == ["ack", "error"]


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


@pytest_asyncio.fixture
async def next_bell(general):
    """A coroutine function that returns the next event that the group of General gets."""
    layer = get_channel_layer()
    channel = await layer.new_channel()
    await layer.group_add(general.group_name, channel)

    async def receive():
        async with asyncio.timeout(TIMEOUT):
            return await layer.receive(channel)

    return receive


async def test_message_is_announced_to_the_feeds_of_other_processes(communicator, next_bell):
    await communicator.send_json_to({"message": "hi"})
    assert await next_bell() == {"type": "room_bell", "seq": 1}


async def test_bell_that_has_to_wait_is_rung_when_the_last_socket_leaves(
    communicator, next_bell, monkeypatch
):
    monkeypatch.setattr(feeds, "BELL_PAUSE", HOUR)
    await say(communicator, "one")
    assert (await next_bell())["seq"] == 1
    await say(communicator, "two")
    await communicator.disconnect(timeout=TIMEOUT)
    assert (await next_bell())["seq"] == 2


async def test_message_of_a_socket_that_leaves_is_saved_and_announced(
    communicator, next_bell, slow_save
):
    await communicator.send_json_to({"message": "bye"})
    assert await asyncio.to_thread(slow_save.begun.wait, TIMEOUT)
    leaving = asyncio.create_task(communicator.disconnect(timeout=TIMEOUT))
    await asyncio.sleep(0)  # so that it leaves
    slow_save.go_on.set()
    await leaving
    assert (await next_bell())["seq"] == 1


async def test_message_is_announced_although_its_sender_cannot_be_told(
    communicator, next_bell, monkeypatch
):
    async def fail(self, content):
        raise OSError("the client is gone")  # as uvicorn does

    monkeypatch.setattr(ChatConsumer, "send_json", fail)
    await communicator.send_json_to({"message": "bye"})
    assert (await next_bell())["seq"] == 1
    await communicator.disconnect(timeout=TIMEOUT)


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


@pytest_asyncio.fixture
async def elsewhere(headers, workshop):
    """Alice's connection to the consumer of Workshop."""
    path = f"/ws/chat/room/{workshop.pk}"
    communicator = WebsocketCommunicator(application, path, headers("alice"))
    await communicator.connect(TIMEOUT)
    await communicator.receive_json_from(TIMEOUT)
    yield communicator
    await communicator.disconnect(timeout=TIMEOUT)


class Looks:
    """Stands for ask_about, and keeps the ids of the rooms that it was asked about."""

    def __init__(self):
        self.ask_about, self.of_rooms = feeds.ask_about, []
        self.failing = {}  # what it raises for rooms, by their ids

    def __call__(self, places):
        rooms = {room_id for _, room_id in places}
        self.of_rooms.append(rooms)
        for room_id in rooms & self.failing.keys():
            raise self.failing[room_id]
        return self.ask_about(places)


@pytest.fixture
def looks(monkeypatch):
    looks = Looks()
    monkeypatch.setattr(feeds, "ask_about", looks)
    monkeypatch.setattr(feeds, "LOOK_EVERY", 0.01)
    return looks


@pytest.fixture
def one_by_one(looks, monkeypatch):
    """Let each room have a look of its own; has to come before the sockets."""
    monkeypatch.setattr(feeds, "ROOMS_AT_ONCE", 1)


async def test_all_rooms_are_looked_after_together(
    looks, communicator, elsewhere, general, workshop
):
    await asyncio.to_thread(wait_until, lambda: {general.pk, workshop.pk} in looks.of_rooms)


async def test_rooms_that_are_too_many_for_one_look_get_another(
    looks, one_by_one, communicator, elsewhere, general, workshop, alice
):
    for room, socket in [(general, communicator), (workshop, elsewhere)]:
        await sync_to_async(save_alert)(room, alice, "no bell")
        assert (await socket.receive_json_from(TIMEOUT))["message"] == "no bell"
    assert max(map(len, looks.of_rooms)) == 1


async def test_feeds_are_looked_after_again_when_the_database_is_back(
    looks, communicator, general, alice
):
    looks.failing = {general.pk: OperationalError("database is locked")}
    looks.of_rooms.clear()
    await asyncio.to_thread(wait_until, lambda: len(looks.of_rooms) > 1)
    looks.failing = {}
    await sync_to_async(save_alert)(general, alice, "no bell")
    assert (await communicator.receive_json_from(TIMEOUT))["message"] == "no bell"


async def test_feeds_that_cannot_be_looked_after_break_down_and_the_others_go_on(
    looks, one_by_one, communicator, elsewhere, general, workshop, alice
):
    looks.failing = {general.pk: RuntimeError("something nobody has thought of")}
    assert await communicator.receive_output(TIMEOUT) == {"type": "websocket.close", "code": 4503}
    await sync_to_async(save_alert)(workshop, alice, "no bell")
    assert (await elsewhere.receive_json_from(TIMEOUT))["message"] == "no bell"


async def test_feeds_are_looked_after_although_one_socket_cannot_be_closed(
    looks, communicator, elsewhere, general, workshop, alice, monkeypatch
):
    close, closing = ChatConsumer.close, asyncio.Event()

    async def wait_for_a_client_that_does_not_read(self, *args):
        if self.room == general:
            closing.set()
            await asyncio.Event().wait()
        await close(self, *args)

    monkeypatch.setattr(ChatConsumer, "close", wait_for_a_client_that_does_not_read)
    for room, until in [(general, closing.wait), (workshop, elsewhere.receive_output)]:
        await room.users.aremove(alice)
        async with asyncio.timeout(TIMEOUT):
            closed = await until()
    assert closed == {"type": "websocket.close", "code": 4403}


async def test_what_was_said_before_a_feed_is_in_its_group_is_not_missed(
    headers, general, alice, monkeypatch
):
    layer = get_channel_layer()
    group_add = layer.group_add

    async def add_late(*args):
        await sync_to_async(save_alert)(general, alice, "no bell")
        await group_add(*args)

    monkeypatch.setattr(layer, "group_add", add_late)
    monkeypatch.setattr(feeds, "LOOK_EVERY", HOUR)
    path = f"/ws/chat/room/{general.pk}"
    communicator = WebsocketCommunicator(application, path, headers("alice"))
    await communicator.connect(TIMEOUT)
    frames = [await communicator.receive_json_from(TIMEOUT) for _ in range(2)]
    assert sorted(frame["msg_type"] for frame in frames) == ["message", "synced"]
    await communicator.disconnect(timeout=TIMEOUT)


async def test_feed_that_breaks_closes_its_sockets_and_the_next_has_a_new_one(
    communicator, headers, general, monkeypatch
):
    def break_down(*args):
        raise RuntimeError("something nobody has thought of")

    broken = RoomFeed.of_room[general.pk]
    monkeypatch.setattr(feeds, "load_frames", break_down)
    broken.news.set()
    assert await communicator.receive_output(TIMEOUT) == {"type": "websocket.close", "code": 4503}
    monkeypatch.undo()
    other = WebsocketCommunicator(application, f"/ws/chat/room/{general.pk}", headers("alice"))
    await other.connect(TIMEOUT)
    assert RoomFeed.of_room[general.pk] is not broken
    await other.disconnect(timeout=TIMEOUT)
