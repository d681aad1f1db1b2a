import pytest
from channels.testing import WebsocketCommunicator

from mychannels.routing import application


@pytest.fixture
def communicator(headers, general):
    """Alice's connection to the consumer of General, without a server in between."""
    return WebsocketCommunicator(application, f"/ws/chat/room/{general.pk}", headers("alice"))


async def test_member_is_connected(communicator):
    connected, _ = await communicator.connect()
    assert connected
    await communicator.disconnect()


async def test_message_is_echoed(communicator):
    await communicator.connect()
    await communicator.send_json_to({"message": "hi"})
    assert await communicator.receive_json_from() == {"message": "hi"}
    await communicator.disconnect()


async def test_bad_frame_gets_an_error_frame(communicator):
    await communicator.connect()
    await communicator.send_to(text_data="hi")
    assert await communicator.receive_json_from() == {
        "msg_type": "error",
        "code": "bad_json",
        "message": 'Send JSON, such as {"message": "hi"}.',
    }
    await communicator.disconnect()
