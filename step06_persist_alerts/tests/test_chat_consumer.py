import asyncio

import pytest
import pytest_asyncio
from channels.layers import get_channel_layer
from channels.testing import WebsocketCommunicator

from alert.feeds import RoomFeed
from alert.models import Alert
from mychannels.routing import application

from .sockets import TIMEOUT

CLIENT_ID = "6f1c1d0e-8a8e-4f0a-9d5c-0a8b3f4f6a11"


@pytest_asyncio.fixture
async def communicator(headers, general):
    """Alice's connection to the consumer of General, without a server in between."""
    path = f"/ws/chat/room/{general.pk}"
    communicator = WebsocketCommunicator(application, path, headers("alice"))
    connected, _ = await communicator.connect(TIMEOUT)
    assert connected
    assert await communicator.receive_json_from(TIMEOUT) == {"msg_type": "synced", "seq": 0}
    yield communicator
    await communicator.disconnect(timeout=TIMEOUT)


async def test_bad_frame_gets_an_error_frame(communicator):
    await communicator.send_to(text_data="hi")
    assert await communicator.receive_json_from(TIMEOUT) == {
        "msg_type": "error",
        "code": "bad_json",
        "message": 'Send JSON, such as {"message": "hi"}.',
    }


async def test_message_is_stored_before_it_is_acked(communicator, general, alice):
    await communicator.send_json_to({"message": "hi", "client_id": CLIENT_ID})
    ack = await communicator.receive_json_from(TIMEOUT)
    assert ack == {"msg_type": "ack", "client_id": CLIENT_ID, "seq": 1}
    stored = await Alert.objects.aget()
    assert (stored.content, stored.room_id, stored.user_id) == ("hi", general.pk, alice.pk)


async def test_message_comes_back_with_its_number_and_time(communicator, general):
    await communicator.send_json_to({"message": "hi", "client_id": CLIENT_ID})
    assert (await communicator.receive_json_from(TIMEOUT))["msg_type"] == "ack"
    stored = await Alert.objects.aget()
    assert await communicator.receive_json_from(TIMEOUT) == {
        "msg_type": "message",
        "room_id": general.pk,
        "seq": 1,
        "username": "alice",
        "message": "hi",
        "create_at": stored.create_at.isoformat(),
        "client_id": CLIENT_ID,
    }


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
    assert len(feed.waiting) == 2
    await other.disconnect(timeout=TIMEOUT)
    assert len(feed.waiting) == 1
