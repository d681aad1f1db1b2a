from .servers import run_manage


def test_message_reaches_another_process(connect, second_server):
    alice, bob = connect("alice"), connect("bob", server=second_server)
    alice.send({"message": "hi"})
    assert alice.next_message() == bob.next_message() == "hi"


def test_broadcast_reaches_another_process(connect, general):
    bob = connect("bob")
    run_manage("broadcast", str(general.pk), "hi")
    frame = bob.receive("message")
    assert (frame["username"], frame["message"]) == ("teacher", "hi")
