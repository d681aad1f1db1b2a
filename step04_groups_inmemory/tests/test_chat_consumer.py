import logging

from channels.layers import get_channel_layer
from channels.testing import WebsocketCommunicator

from mychannels.routing import application

from .sockets import TIMEOUT


async def test_bad_frame_gets_an_error_frame(communicator):
    await communicator.send_to(text_data="hi")
    assert await communicator.receive_json_from(TIMEOUT) == {
        "msg_type": "error",
        "code": "bad_json",
        "message": 'Send JSON, such as {"message": "hi"}.',
    }


async def test_notice_to_the_group_reaches_the_client(communicator, general):
    event = {"type": "chat_notice", "room_id": general.pk, "message": "tea"}
    await get_channel_layer().group_send(general.group_name, event)
    assert await communicator.receive_json_from(TIMEOUT) == {
        "msg_type": "notice",
        "room_id": general.pk,
        "message": "tea",
    }


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
