import logging
import os

import pytest
from asgiref.sync import sync_to_async
from channels.layers import get_channel_layer
from channels.testing import WebsocketCommunicator
from redis import Redis
from redis.exceptions import RedisError

from alert.models import Alert
from alert.posting import save_alert
from chat.models import Room
from mychannels.routing import application

from .sockets import TIMEOUT

CLIENT_ID = "6f1c1d0e-8a8e-4f0a-9d5c-0a8b3f4f6a11"


async def receive(communicator, msg_type):
    """Return the next frame of that type."""
    while (frame := await communicator.receive_json_from(TIMEOUT))["msg_type"] != msg_type:
        pass
    return frame


async def test_bad_frame_gets_an_error_frame(communicator):
    await communicator.send_to(text_data="hi")
    assert await communicator.receive_json_from(TIMEOUT) == {
        "msg_type": "error",
        "code": "bad_json",
        "message": 'Send JSON, such as {"message": "hi"}.',
    }


async def test_message_is_stored_before_it_is_acknowledged(communicator, general, alice):
    await communicator.send_json_to({"message": "hi", "client_id": CLIENT_ID})
    ack = await receive(communicator, "ack")
    assert ack == {"msg_type": "ack", "client_id": CLIENT_ID, "seq": 1}
    stored = await Alert.objects.aget()
    assert (stored.content, stored.room_id, stored.user_id) == ("hi", general.pk, alice.pk)


async def test_message_comes_back_with_its_number_and_time(communicator, general):
    await communicator.send_json_to({"message": "hi", "client_id": CLIENT_ID})
    frame = await receive(communicator, "message")
    stored = await Alert.objects.aget()
    assert frame == {
        "msg_type": "message",
        "room_id": general.pk,
        "seq": 1,
        "username": "alice",
        "message": "hi",
        "create_at": stored.create_at.isoformat(),
        "client_id": CLIENT_ID,
    }


async def test_message_that_could_not_be_announced_is_so_when_it_is_sent_again(
    communicator, general, alice
):
    await sync_to_async(save_alert)(general, alice, "hi", CLIENT_ID)
    await communicator.send_json_to({"message": "hi", "client_id": CLIENT_ID})
    assert (await receive(communicator, "ack"))["seq"] == 1
    assert (await receive(communicator, "message"))["seq"] == 1


async def test_message_is_not_acknowledged_without_redis(communicator, monkeypatch):
    async def fail(alert):
        raise RedisError("no Redis")

    monkeypatch.setattr("chat.consumers.send_alert", fail)
    await communicator.send_json_to({"message": "hi", "client_id": CLIENT_ID})
    assert await communicator.receive_output(TIMEOUT) == {"type": "websocket.close", "code": 4503}
    assert await Alert.objects.aget(client_id=CLIENT_ID)


async def announce(room, frame):
    """Send an event to the sockets of the room, as a server process does."""
    event = {"type": "chat_message", "frame": frame}
    await get_channel_layer().group_send(room.group_name, event)


async def test_event_with_the_next_number_is_sent_without_asking_the_database(
    communicator, general
):
    await announce(general, {"seq": 1, "message": "not stored"})
    assert await communicator.receive_json_from(TIMEOUT) == {"seq": 1, "message": "not stored"}


async def test_event_with_a_later_number_brings_the_missing_messages(communicator, general, alice):
    for content in ["one", "two", "three"]:
        alert, _ = await sync_to_async(save_alert)(general, alice, content)
    await announce(general, alert.as_frame())
    frames = [await communicator.receive_json_from(TIMEOUT) for _ in range(3)]
    assert [(frame["seq"], frame["message"]) for frame in frames] == [
        (1, "one"),
        (2, "two"),
        (3, "three"),
    ]


async def test_event_with_an_older_number_is_ignored(communicator, general, alice):
    alert, _ = await sync_to_async(save_alert)(general, alice, "one")
    for _ in range(2):
        await announce(general, alert.as_frame())
    await announce(general, alert.as_frame() | {"seq": 2})
    assert [(await communicator.receive_json_from(TIMEOUT))["seq"] for _ in range(2)] == [1, 2]


async def test_sync_joins_the_group_again_after_redis_was_emptied(communicator, general, alice):
    with Redis.from_url(os.environ["REDIS_URL"]) as redis:
        await sync_to_async(redis.flushall)()
    alert, _ = await sync_to_async(save_alert)(general, alice, "one")
    await announce(general, alert.as_frame())
    await communicator.send_json_to({"sync": 0})
    assert (await communicator.receive_json_from(TIMEOUT))["seq"] == 1
    assert await communicator.receive_json_from(TIMEOUT) == {"msg_type": "synced", "seq": 1}
    await announce(general, alert.as_frame() | {"seq": 2})
    assert (await communicator.receive_json_from(TIMEOUT))["seq"] == 2


@pytest.mark.parametrize("frame", [{"message": "hi"}, {"sync": 0}])
async def test_socket_is_closed_when_its_room_was_deleted(communicator, general, frame):
    await Room.objects.filter(pk=general.pk).adelete()
    await communicator.send_json_to(frame)
    assert (await communicator.receive_output(TIMEOUT))["type"] == "websocket.close"


async def test_socket_is_closed_when_its_user_was_deleted(communicator, alice):
    await alice.adelete()
    await communicator.send_json_to({"message": "hi"})
    assert (await communicator.receive_output(TIMEOUT))["type"] == "websocket.close"


async def test_socket_that_has_left_is_sent_nothing_more(headers, general, monkeypatch):
    layer = get_channel_layer()
    group_add, joined = layer.group_add, []

    async def note_and_add(group, channel):
        joined.append(channel)
        await group_add(group, channel)

    monkeypatch.setattr(layer, "group_add", note_and_add)
    path = f"/ws/chat/room/{general.pk}"
    communicator = WebsocketCommunicator(application, path, headers("alice"))
    await communicator.connect(TIMEOUT)
    await communicator.disconnect(timeout=TIMEOUT)
    await layer.group_send(general.group_name, {"type": "to.the.group"})
    await layer.send(joined[0], {"type": "to.the.socket"})
    assert await layer.receive(joined[0]) == {"type": "to.the.socket"}


async def test_refused_user_neither_joins_nor_leaves_in_the_log(
    headers, general, monkeypatch, caplog
):
    monkeypatch.setattr(logging.getLogger("chat"), "propagate", True)
    path = f"/ws/chat/room/{general.pk}"
    carol = WebsocketCommunicator(application, path, headers("carol"))
    connected, _ = await carol.connect(TIMEOUT)
    assert not connected
    await carol.disconnect(timeout=TIMEOUT)
    assert caplog.messages == []
