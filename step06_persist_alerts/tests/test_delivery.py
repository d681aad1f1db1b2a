from uuid import uuid4

import pytest

from alert.models import Alert
from alert.posting import save_alert

from .sockets import history


@pytest.fixture
def stored(live_demo, general, alice):
    """A function that stores so many alerts in General."""

    def store(count):
        for n in range(count):
            save_alert(general, alice, f"{n}")

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


def test_bad_after_gets_an_error_and_the_last_messages(stored, connect, general):
    stored(3)
    alice = connect("alice", chat(general, "x"))
    assert alice.receive()["code"] == "bad_frame"
    assert history(alice) == ([1, 2, 3], 3)


def test_sync_replays_everything_after_that_number(stored, connect):
    stored(17)
    alice = connect("alice")
    history(alice)
    alice.send({"sync": 15})
    assert history(alice) == ([16, 17], 17)


def test_sync_beyond_the_last_number_is_synced_with_the_real_one(stored, connect):
    stored(3)
    alice = connect("alice")
    history(alice)
    alice.send({"sync": 10**30})
    assert history(alice) == ([], 3)


def test_each_of_several_syncs_is_answered(stored, connect):
    stored(3)
    alice = connect("alice")
    history(alice)
    for seq in [2, 0]:
        alice.send({"sync": seq})
    assert history(alice) == ([3], 3)
    assert history(alice) == ([1, 2, 3], 3)


def test_sync_is_answered_to_the_asker_alone(stored, connect):
    stored(3)
    alice, bob = connect("alice"), connect("bob")
    history(alice)
    history(bob)
    alice.send({"sync": 0})
    history(alice)
    bob.send({"message": "marker"})
    assert bob.receive("message")["message"] == "marker"


def test_messages_are_numbered_from_1_without_holes(connect):
    alice, bob = connect("alice"), connect("bob")
    for _ in range(5):
        alice.send({"message": "from alice"})
        bob.send({"message": "from bob"})
    for socket in [alice, bob]:
        assert [socket.receive("message")["seq"] for _ in range(10)] == list(range(1, 11))


def test_each_room_has_its_own_numbers(stored, connect, workshop):
    stored(3)
    carol = connect("carol", f"ws/chat/room/{workshop.pk}")
    carol.send({"message": "first here"})
    assert carol.receive("message")["seq"] == 1


def test_sender_gets_an_ack_with_the_number(stored, connect):
    stored(3)
    alice, client_id = connect("alice"), str(uuid4())
    alice.send({"message": "hi", "client_id": client_id})
    assert alice.receive("ack") == {"msg_type": "ack", "client_id": client_id, "seq": 4}


def test_message_without_a_client_id_is_acked_too(connect):
    alice = connect("alice")
    alice.send({"message": "hi"})
    assert alice.receive("ack") == {"msg_type": "ack", "client_id": None, "seq": 1}


def test_message_sent_again_is_acked_again_and_not_delivered_again(connect):
    alice, client_id = connect("alice"), str(uuid4())
    history(alice)
    for message, again in [("first", client_id), ("first", client_id), ("second", str(uuid4()))]:
        alice.send({"message": message, "client_id": again})
    frames = [alice.receive() for _ in range(5)]
    assert [f["seq"] for f in frames if f["msg_type"] == "ack"] == [1, 1, 2]
    assert [f["message"] for f in frames if f["msg_type"] == "message"] == ["first", "second"]
    assert Alert.objects.count() == 2


def test_client_id_of_one_user_is_free_for_another(connect):
    client_id = str(uuid4())
    for username, seq in [("alice", 1), ("bob", 2)]:
        socket = connect(username)
        socket.send({"message": "hi", "client_id": client_id})
        assert socket.receive("ack")["seq"] == seq


def test_message_while_somebody_was_away_is_there_on_return(connect, general):
    alice, bob = connect("alice"), connect("bob")
    bob.close()
    alice.send({"message": "missed"})
    alice.receive("message")
    bob = connect("bob", chat(general, 0))
    assert bob.next_message() == "missed"
