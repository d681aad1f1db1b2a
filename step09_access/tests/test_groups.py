from .sockets import nothing_arrives


def test_message_reaches_everybody_in_the_room(connect, general):
    alice, bob = connect("alice"), connect("bob")
    alice.send({"message": "hi"})
    frame = alice.receive("message")
    assert bob.receive("message") == frame
    assert (frame["room_id"], frame["seq"]) == (general.pk, 1)
    assert (frame["username"], frame["message"]) == ("alice", "hi")


def test_message_reaches_every_window_of_a_user(connect):
    first, second = connect("alice"), connect("alice")
    first.send({"message": "hi"})
    assert first.next_message() == second.next_message() == "hi"


def test_message_stays_in_its_room(connect, workshop):
    alice, carol = connect("alice"), connect("carol", f"ws/chat/room/{workshop.pk}")
    alice.send({"message": "for general"})
    assert alice.next_message() == "for general"
    assert nothing_arrives(carol)


def test_bad_frame_of_one_is_not_seen_by_the_other(connect):
    alice, bob = connect("alice"), connect("bob")
    alice.send("not json")
    alice.receive("error")
    assert nothing_arrives(bob)


def test_username_in_a_frame_is_ignored(connect):
    alice = connect("alice")
    alice.send({"message": "hi", "username": "bob"})
    assert alice.receive("message")["username"] == "alice"
