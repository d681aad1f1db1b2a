import asyncio
import threading

import pytest
from channels.sessions import InstanceSessionWrapper
from django.contrib.auth.models import User
from django.db import IntegrityError, OperationalError

from alert import listener, writer
from alert.models import Alert
from chat.models import Room

from .servers import wait_until
from .sockets import TIMEOUT


class SlowSave:
    """Stands for save_alerts, and waits before each transaction until it may go on."""

    def __init__(self):
        self.save_alerts, self.batches = writer.save_alerts, []
        self.begun, self.go_on = threading.Event(), threading.Event()

    def __call__(self, messages):
        self.batches.append([content for _, _, content, _ in messages])
        self.begun.set()
        assert self.go_on.wait(TIMEOUT)
        return self.save_alerts(messages)

    async def wait_for_pending(self, count):
        """Wait until a transaction has begun, and that many messages wait for the next."""
        assert await asyncio.to_thread(self.begun.wait, TIMEOUT)
        await asyncio.to_thread(wait_until, lambda: len(writer.pending) == count)


@pytest.fixture
def slow_save(monkeypatch):
    slow = SlowSave()
    monkeypatch.setattr(writer, "save_alerts", slow)
    yield slow
    slow.go_on.set()


async def join_synced(join, *arguments):
    """Join a room and read what is there; return the communicator."""
    communicator = await join(*arguments)
    while (await communicator.receive_json_from(TIMEOUT))["msg_type"] != "synced":
        pass
    return communicator


async def receive_acks(communicator, count):
    """Return the numbers of the next acknowledgements, whatever comes before them."""
    acks = []
    while len(acks) < count:
        frame = await communicator.receive_json_from(TIMEOUT)
        if frame["msg_type"] == "ack":
            acks.append(frame["seq"])
    return acks


async def test_messages_that_arrive_during_a_transaction_are_saved_in_the_next(
    join, slow_save, workshop
):
    alice = await join_synced(join, "alice")
    carol = await join_synced(join, "carol", f"ws/chat/room/{workshop.pk}")
    await alice.send_json_to({"message": "one"})
    await slow_save.wait_for_pending(0)
    for socket, message in [(alice, "two"), (carol, "three"), (alice, "four")]:
        await socket.send_json_to({"message": message})
    await slow_save.wait_for_pending(3)
    slow_save.go_on.set()
    assert await receive_acks(alice, 3) == [1, 2, 3]
    assert await receive_acks(carol, 1) == [1]
    assert slow_save.batches[0] == ["one"]
    assert sorted(slow_save.batches[1]) == ["four", "three", "two"]


async def test_message_is_acknowledged_after_its_transaction(join, slow_save):
    alice = await join_synced(join, "alice")
    await alice.send_json_to({"message": "hi"})
    await slow_save.wait_for_pending(0)
    assert await alice.receive_nothing()
    slow_save.go_on.set()
    assert await receive_acks(alice, 1) == [1]
    assert await Alert.objects.acount() == 1


async def test_failure_of_the_database_closes_every_socket_that_waits(
    join, slow_save, general, workshop, caplog
):
    def fail(messages):
        raise OperationalError("database is locked")

    alice = await join_synced(join, "alice")
    carol = await join_synced(join, "carol", f"ws/chat/room/{workshop.pk}")
    save_alerts, slow_save.save_alerts = slow_save.save_alerts, fail
    for number, socket in enumerate([alice, carol]):
        await socket.send_json_to({"message": "hi"})
        await slow_save.wait_for_pending(number)
    slow_save.go_on.set()
    for socket in [alice, carol]:
        closed = await socket.receive_output(TIMEOUT)
        assert closed == {"type": "websocket.close", "code": 4503}
    assert sum("The database can't be reached" in line for line in caplog.messages) == 1
    slow_save.save_alerts = save_alerts
    alice = await join_synced(join, "alice")
    await alice.send_json_to({"message": "hi again"})
    assert await receive_acks(alice, 1) == [1]


async def test_deleted_room_or_user_in_a_batch_hurts_nobody_else(
    own_layer, live_demo, general, alice, caplog
):
    deleted_room, deleted_user = Room(pk=0, name="deleted"), User(pk=0, username="deleted")
    messages = [
        (deleted_room, alice, "no room", None),
        (general, deleted_user, "no user", None),
        (general, alice, "hi", None),
    ]
    async with asyncio.timeout(TIMEOUT):
        results = await asyncio.gather(
            *(writer.save(*message) for message in messages), return_exceptions=True
        )
    assert [type(result) for result in results] == [Room.DoesNotExist, IntegrityError, Alert]
    assert (results[2].seq, results[2].content) == (1, "hi")
    assert sum("A message can't be saved" in line for line in caplog.messages) == 2


async def test_message_to_a_deleted_room_closes_its_socket(join, general, monkeypatch):
    monkeypatch.setattr(listener, "POLL_INTERVAL", 3600)
    alice = await join_synced(join, "alice")
    await general.adelete()
    await alice.send_json_to({"message": "hi"})
    assert (await alice.receive_output(TIMEOUT))["type"] == "websocket.close"


async def test_message_of_a_sender_who_leaves_at_once_is_saved_and_announced(
    join, slow_save, next_event, general
):
    alice = await join_synced(join, "alice")
    await alice.send_json_to({"message": "bye"})
    await slow_save.wait_for_pending(0)
    await alice.send_input({"type": "websocket.disconnect", "code": 1001})
    slow_save.go_on.set()
    assert (await next_event())["numbers"] == [[general.pk, 1]]


async def test_message_is_saved_although_its_neighbour_is_cancelled(
    own_layer, live_demo, slow_save, general, alice
):
    cancelled, kept = (
        asyncio.create_task(writer.save(general, alice, text, None)) for text in ["one", "two"]
    )
    await slow_save.wait_for_pending(0)
    cancelled.cancel()
    slow_save.go_on.set()
    async with asyncio.timeout(TIMEOUT):
        assert (await kept).seq == 2


async def test_frames_do_not_pass_the_session_middleware(join, monkeypatch):
    async def note(self, message):
        passed.append(message)
        await self.real_send(message)

    passed = []
    monkeypatch.setattr(InstanceSessionWrapper, "send", note)
    alice = await join_synced(join, "alice")
    await alice.send_json_to({"message": "hi"})
    await receive_acks(alice, 1)
    assert passed == []
