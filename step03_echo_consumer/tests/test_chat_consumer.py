import logging

from channels.testing import WebsocketCommunicator

from mychannels.routing import application

from .sockets import TIMEOUT


async def test_message_is_echoed(communicator):
    await communicator.send_json_to({"message": "hi"})
    assert await communicator.receive_json_from(TIMEOUT) == {"message": "hi"}


async def test_bad_frame_gets_an_error_frame(communicator):
    await communicator.send_to(text_data="hi")
    assert await communicator.receive_json_from(TIMEOUT) == {
        "msg_type": "error",
        "code": "bad_json",
        "message": 'Send JSON, such as {"message": "hi"}.',
    }


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
