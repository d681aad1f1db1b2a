import pytest
from websockets.exceptions import InvalidStatus

from alert.models import Alert

from .sockets import history


@pytest.fixture
def address(general):
    return f"ws/alert/room/{general.pk}"


def test_messages_of_the_room_arrive(connect, address):
    alice, bob = connect("alice"), connect("bob", address)
    alice.send({"message": "hi"})
    assert bob.receive("message") == alice.receive("message")


def test_message_is_refused_as_read_only(connect, address):
    alice = connect("alice", address)
    alice.send({"message": "hi"})
    assert alice.receive("error")["code"] == "read_only"
    assert not Alert.objects.exists()


def test_sync_is_answered(connect, address):
    alice = connect("alice", address)
    history(alice)
    alice.send({"sync": 0})
    assert history(alice) == ([], 0)


@pytest.mark.parametrize("username", [None, "carol"])
def test_handshake_of_a_non_member_is_refused(connect, address, username):
    with pytest.raises(InvalidStatus) as refusal:
        connect(username, address)
    assert refusal.value.response.status_code == 403
