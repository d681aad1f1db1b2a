import pytest
from websockets.exceptions import InvalidStatus

from .sockets import history


@pytest.fixture
def address(general):
    return f"ws/alert/room/{general.pk}"


def test_feed_brings_the_messages_of_the_room(connect, address):
    alice, bob = connect("alice"), connect("bob", address)
    history(bob)
    alice.send({"message": "hi"})
    assert bob.receive() == alice.receive("message")


def test_post_to_the_feed_is_refused_as_read_only(connect, address):
    alice = connect("alice", address)
    alice.send({"message": "hi"})
    assert alice.receive("error")["code"] == "read_only"


def test_feed_answers_a_sync(connect, address):
    alice = connect("alice", address)
    history(alice)
    alice.send({"sync": 0})
    assert history(alice) == ([], 0)


@pytest.mark.parametrize("username", [None, "carol"])
def test_feed_is_closed_to_everybody_else(connect, address, username):
    with pytest.raises(InvalidStatus) as refusal:
        connect(username, address)
    assert refusal.value.response.status_code == 403
