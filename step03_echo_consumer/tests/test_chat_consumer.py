import pytest_asyncio
from channels.testing import WebsocketCommunicator

from mychannels.routing import application

from .sockets import TIMEOUT


@pytest_asyncio.fixture
async def communicator(headers, general):
    """Alice's connection to the consumer of General, without a server in between."""
    path = f"/ws/chat/room/{general.pk}"
    communicator = WebsocketCommunicator(application, path, headers("alice"))
    connected, _ = await communicator.connect(TIMEOUT)
    assert connected
    yield communicator
    await communicator.disconnect(timeout=TIMEOUT)


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
