import asyncio
import json
import random

import pytest
from asgiref.sync import sync_to_async

from alert import feeds, listener
from alert.feeds import RoomFeed
from alert.models import Alert
from chat.consumers import ChatConsumer

from .sockets import TIMEOUT


@sync_to_async
def store(room, user, count=1):
    """Store that many alerts as another process does, whose notification hasn't come yet."""
    room.refresh_from_db()
    seqs = range(room.last_seq + 1, room.last_seq + count + 1)
    Alert.objects.bulk_create(
        Alert(room=room, seq=seq, user=user, content=f"number {seq}") for seq in seqs
    )
    room.last_seq += count
    room.save()


async def receive(communicator, count):
    """Return that many frames, each as its type and number."""
    frames = [await communicator.receive_json_from(TIMEOUT) for _ in range(count)]
    return [(frame["msg_type"], frame["seq"]) for frame in frames]


def messages(*seqs):
    return [("message", seq) for seq in seqs]


async def take(follower, count):
    """Return the numbers of the next messages that a follower of a feed gets."""
    async with asyncio.timeout(TIMEOUT):
        return [json.loads(await anext(follower))["seq"] for _ in range(count)]


@pytest.fixture
def feed(live_demo, general):
    """The feed of General, with a socket that is none."""
    feed = RoomFeed.join(general, socket="ours")
    yield feed
    feed.leave("ours")


async def catch_up(feed, seq):
    """Let the feed read the messages up to that number."""
    RoomFeed.refresh([(feed.room.pk, seq)])
    await feed.reading


async def test_feed_reads_a_message_once_for_all_sockets(join, general, alice, queries):
    sockets = [await join(name) for name in ["alice", "alice", "bob", "bob", "bob"]]
    for socket in sockets:
        assert await receive(socket, 1) == [("synced", 0)]
    await store(general, alice)
    queries.clear()
    await listener.notify([(general.pk, 1)])
    for socket in sockets:
        assert await receive(socket, 1) == messages(1)
    assert sum('FROM "alert_alert"' in sql for sql in queries) == 1


async def test_feed_sends_what_it_has_read_without_asking_again(feed, general, alice, queries):
    await store(general, alice, 3)
    await catch_up(feed, 3)
    queries.clear()
    assert await take(feed.follow(1), 2) == [2, 3]
    assert queries == []


async def test_feed_reads_older_messages_in_pages(feed, general, alice, queries):
    await store(general, alice, 250)
    await catch_up(feed, 250)
    queries.clear()
    assert await take(feed.follow(0), 250) == list(range(1, 251))
    assert len(queries) == 2  # the last 100 come from memory


async def test_followers_that_start_again_get_every_message_in_order(feed, general, alice):
    chance = random.Random(8)
    total = 200

    async def follow():
        seen = 0
        while seen < total:
            seen = after = chance.randint(0, seen)
            async for text in feed.follow(after):
                seen += 1
                assert json.loads(text)["seq"] == seen
                if seen == total or chance.random() < 0.02:
                    break
                if chance.random() < 0.1:
                    await asyncio.sleep(0)

    async with asyncio.timeout(TIMEOUT), asyncio.TaskGroup() as tasks:
        for _ in range(5):
            tasks.create_task(follow())
        while general.last_seq < total:
            await store(general, alice, min(chance.randint(1, 60), total - general.last_seq))
            await catch_up(feed, general.last_seq)


async def test_message_stored_during_the_replay_comes_once(join, general, alice, monkeypatch):
    load, reading, go_on = feeds.load, asyncio.Event(), asyncio.Event()

    async def load_slowly(room, after):
        frames = await load(room, after)
        if not reading.is_set():
            reading.set()
            await go_on.wait()
        return frames

    monkeypatch.setattr(feeds, "load", load_slowly)
    await store(general, alice, 2)
    bob = await join("bob")
    async with asyncio.timeout(TIMEOUT):
        await reading.wait()
    await store(general, alice)
    await listener.notify([(general.pk, 3)])
    go_on.set()
    await bob.send_json_to({"message": "number 4"})
    frames = await receive(bob, 6)
    assert [frame for frame in frames if frame[0] == "message"] == messages(1, 2, 3, 4)


async def test_sync_starts_again_from_its_number(join, general, alice):
    await store(general, alice, 3)
    bob = await join("bob")
    assert await receive(bob, 4) == [*messages(1, 2, 3), ("synced", 3)]
    await bob.send_json_to({"sync": 1})
    assert await receive(bob, 3) == [*messages(2, 3), ("synced", 3)]
    for _ in range(2):
        await bob.send_json_to({"message": "once"})
    frames = await receive(bob, 4)
    assert [frame for frame in frames if frame[0] == "message"] == messages(4, 5)


async def test_client_that_is_ahead_of_the_room_gets_what_comes_next(join, general, alice):
    await store(general, alice, 3)
    bob = await join("bob", f"ws/chat/room/{general.pk}?after={10**30}")
    assert await receive(bob, 1) == [("synced", 3)]
    await bob.send_json_to({"sync": 10**30})
    assert await receive(bob, 1) == [("synced", 3)]
    await store(general, alice)
    await listener.notify([(general.pk, 4)])
    assert await receive(bob, 1) == messages(4)


async def test_feed_goes_with_its_last_socket(join, general):
    chat, alerts = await join("alice"), await join("bob", f"ws/alert/room/{general.pk}")
    feed = RoomFeed.of_room[general.pk]
    await chat.disconnect(timeout=TIMEOUT)
    assert RoomFeed.of_room[general.pk] is feed
    await alerts.disconnect(timeout=TIMEOUT)
    assert general.pk not in RoomFeed.of_room


async def test_socket_that_ends_with_an_error_leaves_its_feed(join, general, monkeypatch):
    async def fail(self, **frame):
        raise RuntimeError("a bug")

    monkeypatch.setattr(ChatConsumer, "receive", fail)
    alice = await join("alice")
    (socket,) = RoomFeed.of_room[general.pk].sockets
    await alice.send_json_to({"message": "hi"})
    with pytest.raises(RuntimeError, match="a bug"):
        await alice.wait(TIMEOUT)
    assert general.pk not in RoomFeed.of_room
    assert await asyncio.wait([socket.sending], timeout=TIMEOUT) == ({socket.sending}, set())
