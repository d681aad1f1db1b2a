import pytest
from asgiref.sync import sync_to_async
from channels.testing import WebsocketCommunicator
from django.core.management import CommandError, call_command

from mychannels.routing import application

from .servers import run_manage
from .sockets import TIMEOUT


async def test_broadcast_reaches_the_sockets_of_its_own_process(headers, general):
    path = f"/ws/chat/room/{general.pk}"
    alice = WebsocketCommunicator(application, path, headers("alice"))
    await alice.connect(TIMEOUT)
    await sync_to_async(call_command)("broadcast", general.pk, "tea is ready")
    assert await alice.receive_json_from(TIMEOUT) == {
        "msg_type": "notice",
        "room_id": general.pk,
        "message": "tea is ready",
    }
    await alice.disconnect(timeout=TIMEOUT)


def test_broadcast_to_no_room_names_the_rooms(demo, general, workshop):
    with pytest.raises(CommandError) as error:
        call_command("broadcast", 0, "hi")
    rooms = f"{general.pk} (General), {workshop.pk} (Workshop)"
    assert str(error.value) == f"No such room. Choose one of: {rooms}."
    assert error.value.returncode == 2


@pytest.mark.parametrize("message", [" ", "x" * 201])
def test_broadcast_of_a_bad_message_is_refused(demo, general, message):
    with pytest.raises(CommandError) as error:
        call_command("broadcast", general.pk, message)
    assert error.value.returncode == 2


def test_broadcast_from_the_shell_says_what_it_did(live_demo, general):
    result = run_manage("broadcast", str(general.pk), "hi")
    assert (result.returncode, result.stdout) == (0, "Sent to General.\n")
