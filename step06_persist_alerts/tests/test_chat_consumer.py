import asyncio
import logging

import pytest
from channels.sessions import InstanceSessionWrapper
from channels.testing import WebsocketCommunicator
from django.db import OperationalError

from alert.models import Alert
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


async def test_message_is_stored_before_it_is_acked(communicator, general, alice):
    await communicator.send_json_to({"message": "hi", "client_id": CLIENT_ID})
    ack = await receive(communicator, "ack")
    assert ack == {"msg_type": "ack", "client_id": CLIENT_ID, "seq": 1}
    stored = await Alert.objects.aget()
    assert (stored.content, stored.room_id, stored.user_id) == ("hi", general.pk, alice.pk)


async def test_message_comes_back_with_its_number_and_time(communicator, general):
    await communicator.send_json_to({"message": "hi", "client_id": CLIENT_ID})
    message = await receive(communicator, "message")
    stored = await Alert.objects.aget()
    assert message == {
        "msg_type": "message",
        "room_id": general.pk,
        "seq": 1,
        "username": "alice",
        "message": "hi",
        "create_at": stored.create_at.isoformat(),
        "client_id": CLIENT_ID,
    }


@pytest.fixture
def session_is_asked(monkeypatch):
    """Note in a list what is sent by way of Channels' session middleware."""
    asked, send = [], InstanceSessionWrapper.send

    async def note_and_send(self, event):
        asked.append(event)
        await send(self, event)

    monkeypatch.setattr(InstanceSessionWrapper, "send", note_and_send)
    return asked


async def test_no_frame_asks_about_the_session(session_is_asked, communicator):
    await communicator.send_json_to({"message": "hi"})
    await receive(communicator, "message")
    assert session_is_asked == []


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


async def test_member_is_not_refused_while_the_database_is_away(headers, general, monkeypatch):
    async def fail(self):
        raise OperationalError("the connection is lost")

    monkeypatch.setattr("chat.consumers.ChatConsumer.get_room", fail)
    path = f"/ws/chat/room/{general.pk}"
    communicator = WebsocketCommunicator(application, path, headers("alice"))
    await communicator.send_input({"type": "websocket.connect"})
    with pytest.raises(OperationalError):  # for which the server answers with HTTP 500, not 403
        await asyncio.wait_for(communicator.future, TIMEOUT)


async def test_socket_is_closed_when_a_message_cannot_be_saved(communicator, monkeypatch):
    def fail(*args):
        raise OperationalError("database is locked")

    monkeypatch.setattr("alert.feeds.save_alerts", fail)
    await communicator.send_json_to({"message": "hi"})
    assert await communicator.receive_output(TIMEOUT) == {"type": "websocket.close", "code": 4503}


async def test_socket_is_closed_when_its_room_is_deleted(communicator, general):
    await general.adelete()
    await communicator.send_json_to({"sync": 0})
    assert await communicator.receive_output(TIMEOUT) == {"type": "websocket.close", "code": 4503}
