from .servers import run_manage
from .sockets import nothing_arrives


def test_message_does_not_reach_another_process(connect, second_server):
    alice, bob = connect("alice"), connect("bob", server=second_server)
    alice.send({"message": "hi"})
    assert alice.next_message() == "hi"
    assert nothing_arrives(bob)


def test_broadcast_does_not_reach_another_process(connect, general):
    bob = connect("bob")
    assert run_manage("broadcast", str(general.pk), "hi").returncode == 0
    assert nothing_arrives(bob)
