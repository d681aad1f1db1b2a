import asyncio
import logging
import os

import pytest
from asgiref.sync import sync_to_async
from django.conf import settings
from django.db import OperationalError
from redis import Redis
from redis.exceptions import ConnectionError as RedisConnectionError

from alert import feeds, listener
from alert.posting import save_alert
from mychannels import outages

from .servers import wait_until
from .sockets import TIMEOUT

HOUR = 3600  # seconds: a listener that polls so rarely has to be notified


@pytest.fixture
def rare_polls(monkeypatch):
    """Let the listener poll once, when it starts."""
    monkeypatch.setattr(listener, "POLL_INTERVAL", HOUR)


async def store(room, user, message):
    """Store a message as another process does; return the notification that it sends."""
    alert, _ = await sync_to_async(save_alert)(room, user, message)
    return {"type": listener.NOTIFICATION, "numbers": [(room.pk, alert.seq)]}


async def next_message(communicator):
    """Return the text of the next message, whatever comes before it."""
    while (frame := await communicator.receive_json_from(TIMEOUT))["msg_type"] != "message":
        pass
    return frame["message"]


async def settle(communicator, layer, room, user):
    """Read up to `synced`, then wait until the listener has joined its group."""
    while (await communicator.receive_json_from(TIMEOUT))["msg_type"] != "synced":
        pass
    await layer.group_send(listener.GROUP, await store(room, user, "settled"))
    assert await next_message(communicator) == "settled"


async def test_message_is_announced_by_room_and_number(join, next_event, general):
    alice = await join("alice")
    await alice.send_json_to({"message": "hi"})
    numbers = [[general.pk, 1]]
    assert await next_event() == {"type": listener.NOTIFICATION, "numbers": numbers}


async def test_notification_brings_a_message_before_the_next_poll(
    rare_polls, join, layer, general, alice
):
    bob = await join("bob")
    await settle(bob, layer, general, alice)
    await layer.group_send(listener.GROUP, await store(general, alice, "hi"))
    assert await next_message(bob) == "hi"


async def test_poll_finds_a_message_whose_notification_was_lost(
    frequent_polls, join, general, alice
):
    bob = await join("bob")
    await store(general, alice, "hi")
    assert await next_message(bob) == "hi"


async def test_first_poll_finds_what_was_stored_before_the_process_joined_its_group(
    rare_polls, join, layer, general, alice, monkeypatch
):
    group_add = layer.group_add

    async def add_late(*args):
        await store(general, alice, "hi")
        await group_add(*args)

    monkeypatch.setattr(layer, "group_add", add_late)
    assert await next_message(await join("bob")) == "hi"


async def test_process_joins_one_group_for_all_rooms_and_again_when_redis_was_emptied(
    frequent_polls, join, general, workshop
):
    for room in [general, workshop]:
        await join("alice", f"ws/chat/room/{room.pk}")
    groups = f"{settings.CHANNEL_LAYERS['default']['CONFIG']['prefix']}:group:*"
    with Redis.from_url(os.environ["REDIS_URL"]) as redis:
        for _ in range(2):
            await asyncio.to_thread(wait_until, lambda: redis.keys(groups))
            (group,) = redis.keys(groups)
            assert redis.zcard(group) == 1
            redis.flushall()


async def test_foreign_events_are_ignored_with_a_line_for_each_type(
    rare_polls, join, layer, general, alice, caplog
):
    listener.warn_once.cache_clear()
    bob = await join("bob")
    await settle(bob, layer, general, alice)
    for event_type in ["chat_notice", "chat_notice", "chat_message"]:
        await layer.group_send(listener.GROUP, {"type": event_type, "message": "hi"})
    await layer.group_send(listener.GROUP, await store(general, alice, "hi"))
    assert await next_message(bob) == "hi"
    ignored = [message for message in caplog.messages if "Ignored" in message]
    assert ignored == [
        "Ignored an event of the type 'chat_notice'.",
        "Ignored an event of the type 'chat_message'.",
    ]


async def test_message_that_could_not_be_read_is_read_after_the_next_poll(
    frequent_polls, join, layer, general, alice, monkeypatch
):
    load, failures = feeds.load, [OperationalError("database is locked")]

    async def fail_once(room, after):
        if failures:
            raise failures.pop()
        return await load(room, after)

    bob = await join("bob")
    assert (await bob.receive_json_from(TIMEOUT))["msg_type"] == "synced"
    monkeypatch.setattr(feeds, "load", fail_once)
    await store(general, alice, "hi")
    assert await next_message(bob) == "hi"
    assert failures == []


async def refuse(*args):
    raise RedisConnectionError("Connection refused.")


async def hang(*args):
    await asyncio.Event().wait()


@pytest.mark.parametrize("fail", [refuse, hang])
async def test_each_outage_of_redis_is_one_line_in_the_log_and_messages_go_on(
    join, layer, monkeypatch, caplog, fail
):
    monkeypatch.setattr(listener, "POLL_INTERVAL", 0.5)  # seconds; a slow answer is no outage
    bob = await join("bob")
    for number in [1, 2]:
        with monkeypatch.context() as outage:
            for name in ["group_add", "group_send", "receive"]:
                outage.setattr(layer, name, fail)
            for message in ["one", "two"]:
                await bob.send_json_to({"message": message})
                assert await next_message(bob) == message
            await asyncio.to_thread(wait_until, lambda: "Redis" in outages.ongoing)
        assert sum("Redis can't be reached" in line for line in caplog.messages) == number
        await asyncio.to_thread(wait_until, lambda: "Redis" not in outages.ongoing)


async def test_operation_that_began_before_an_outage_does_not_end_it(caplog, monkeypatch):
    monkeypatch.setattr(logging.getLogger("mychannels"), "propagate", True)
    monkeypatch.setattr(outages, "ongoing", set())

    async def fail():
        raise RedisConnectionError("down")

    answered = asyncio.Event()
    early = asyncio.create_task(listener.reach_redis(answered.wait()))
    await asyncio.sleep(0)
    await listener.reach_redis(fail())
    answered.set()
    await early
    await listener.reach_redis(fail())
    assert caplog.messages == ["Redis can't be reached: down"]
    await listener.reach_redis(asyncio.sleep(0))
    assert outages.ongoing == set()
