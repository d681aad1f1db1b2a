import pytest

from alert.models import Alert


@pytest.fixture
def stored(live_demo, general, alice):
    """The ids of 60 alerts in General."""
    alerts = [Alert(room=general, user=alice, content=f"{n}") for n in range(60)]
    return [alert.pk for alert in Alert.objects.bulk_create(alerts)]


def test_socket_gets_the_last_50_messages_oldest_first(stored, connect):
    alice = connect("alice")
    assert [alice.receive("message")["id"] for _ in range(50)] == stored[-50:]


def test_history_is_that_of_the_room(stored, connect, workshop):
    carol = connect("carol", f"ws/chat/room/{workshop.pk}")
    carol.send({"message": "first here"})
    assert carol.next_message() == "first here"


def test_message_while_somebody_was_away_is_there_on_return(connect):
    alice, bob = connect("alice"), connect("bob")
    bob.close()
    alice.send({"message": "missed"})
    frame = alice.receive("message")
    assert connect("bob").receive("message") == frame
