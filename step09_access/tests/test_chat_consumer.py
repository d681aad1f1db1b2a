import logging

import pytest
from asgiref.sync import sync_to_async
from channels.testing import WebsocketCommunicator

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
    frames = [await communicator.receive_json_from(TIMEOUT) for _ in range(2)]
    assert {(frame["msg_type"], frame["seq"]) for frame in frames} == {("ack", 1), ("message", 1)}


@pytest.mark.parametrize("frame", [{"message": "hi"}, {"sync": 0}])
async def test_socket_is_closed_when_its_room_was_deleted(communicator, general, frame):
    await Room.objects.filter(pk=general.pk).adelete()
    await communicator.send_json_to(frame)
    assert (await communicator.receive_output(TIMEOUT))["type"] == "websocket.close"


async def test_socket_is_closed_when_its_user_was_deleted(communicator, alice):
    await alice.adelete()
    await communicator.send_json_to({"message": "hi"})
    assert (await communicator.receive_output(TIMEOUT))["type"] == "websocket.close"


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
