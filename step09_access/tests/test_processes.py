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


def test_messages_of_two_processes_have_one_order(connect, second_server):
    alice, bob = connect("alice"), connect("bob", server=second_server)
    for n in range(8):
        alice.send({"message": f"alice {n}"})
        bob.send({"message": f"bob {n}"})
    seen_by_alice = [alice.receive("message") for _ in range(16)]
    seen_by_bob = [bob.receive("message") for _ in range(16)]
    assert seen_by_alice == seen_by_bob
    assert [frame["seq"] for frame in seen_by_alice] == list(range(1, 17))
