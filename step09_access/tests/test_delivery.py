from uuid import uuid4

import pytest

from alert.models import Alert
from chat.models import Room

from .sockets import history, nothing_arrives


@pytest.fixture
def stored(live_demo, general, alice):
    """A function that stores a number of alerts in General."""

    def store(count):
        numbers = range(1, count + 1)
        alerts = [Alert(room=general, seq=n, user=alice, content=f"{n}") for n in numbers]
        Alert.objects.bulk_create(alerts)
        Room.objects.filter(pk=general.pk).update(last_seq=count)

    return store


def chat(room, after):
    return f"ws/chat/room/{room.pk}?after={after}"


def test_socket_gets_the_last_50_messages_and_then_synced(stored, connect):
    stored(60)
    assert history(connect("alice")) == (list(range(11, 61)), 60)


def test_socket_of_an_empty_room_is_synced_at_0(connect):
    assert history(connect("alice")) == ([], 0)


def test_after_replays_everything_after_that_number(stored, connect, general):
    stored(220)
    assert history(connect("alice", chat(general, 5))) == (list(range(6, 221)), 220)


def test_after_0_replays_everything(stored, connect, general):
    stored(60)
    assert history(connect("alice", chat(general, 0))) == (list(range(1, 61)), 60)


@pytest.mark.parametrize("after", [3, 4, 10**30])
def test_after_the_last_number_is_synced_with_the_real_one(stored, connect, general, after):
    stored(3)
    assert history(connect("alice", chat(general, after))) == ([], 3)


@pytest.mark.parametrize("after", ["", "x", "-1"])
def test_after_that_is_no_number_brings_the_last_messages(stored, connect, general, after):
    stored(60)
    assert history(connect("alice", chat(general, after))) == (list(range(11, 61)), 60)


def test_sync_replays_everything_after_that_number(stored, connect):
    stored(17)
    alice = connect("alice")
    history(alice)
    alice.send({"sync": 15})
    assert history(alice) == ([16, 17], 17)


@pytest.mark.parametrize("sync", [None, "1", -1])
def test_bad_sync_gets_an_error_and_the_socket_stays_open(connect, sync):
    alice, client_id = connect("alice"), str(uuid4())
    alice.send({"sync": sync, "client_id": client_id})
    error = alice.receive("error")
    assert (error["code"], error["client_id"]) == ("bad_frame", client_id)
    alice.send({"sync": 0})
    assert alice.receive("synced")["seq"] == 0


def test_sync_beyond_the_last_number_is_synced_with_the_real_one(stored, connect):
    stored(3)
    alice = connect("alice")
    history(alice)
    alice.send({"sync": 10**30})
    assert history(alice) == ([], 3)


def test_later_sync_takes_the_place_of_an_earlier_one(stored, connect):
    stored(3)
    alice = connect("alice")
    history(alice)
    for seq in [2, 0]:
        alice.send({"sync": seq})
    while alice.receive("message")["seq"] != 1:
        pass
    assert history(alice) == ([2, 3], 3)


def test_sync_is_answered_to_the_asker_alone(stored, connect):
    stored(3)
    alice, bob = connect("alice"), connect("bob")
    history(alice)
    history(bob)
    alice.send({"sync": 0})
    history(alice)
    assert nothing_arrives(bob)


def test_messages_are_numbered_from_1_without_holes(connect):
    alice, bob = connect("alice"), connect("bob")
    for _ in range(5):
        alice.send({"message": "from alice"})
        bob.send({"message": "from bob"})
    for socket in [alice, bob]:
        assert [socket.receive("message")["seq"] for _ in range(10)] == list(range(1, 11))


def test_sender_gets_an_ack_with_the_number(stored, connect):
    stored(3)
    alice, client_id = connect("alice"), str(uuid4())
    alice.send({"message": "hi", "client_id": client_id})
    assert alice.receive("ack") == {"msg_type": "ack", "client_id": client_id, "seq": 4}


def test_message_without_a_client_id_is_acknowledged_too(connect):
    alice = connect("alice")
    alice.send({"message": "hi"})
    assert alice.receive("ack") == {"msg_type": "ack", "client_id": None, "seq": 1}


def test_message_sent_again_is_acknowledged_again_and_not_delivered_again(connect):
    alice, client_id = connect("alice"), str(uuid4())
    history(alice)
    for message, again in [("first", client_id), ("first", client_id), ("second", str(uuid4()))]:
        alice.send({"message": message, "client_id": again})
    frames = [alice.receive() for _ in range(5)]
    assert [f["seq"] for f in frames if f["msg_type"] == "ack"] == [1, 1, 2]
    assert [f["message"] for f in frames if f["msg_type"] == "message"] == ["first", "second"]
    assert Alert.objects.count() == 2


def test_error_names_the_message_that_is_refused(connect):
    alice, client_id = connect("alice"), str(uuid4())
    alice.send({"message": " ", "client_id": client_id})
    error = alice.receive("error")
    assert (error["code"], error["client_id"]) == ("blank", client_id)
