import pytest
from django.core.management import CommandError, call_command

from alert.models import Alert

from .servers import run_manage


def test_broadcast_saves_an_alert_of_the_first_superuser(live_demo, general):
    call_command("broadcast", general.pk, "tea is ready")
    alert = Alert.objects.get()
    assert (alert.content, alert.room, alert.user.username) == ("tea is ready", general, "teacher")


def test_broadcast_saves_an_alert_of_the_user_that_is_named(live_demo, general):
    call_command("broadcast", general.pk, "tea is ready", user="bob")
    assert Alert.objects.get().user.username == "bob"


def test_broadcast_of_an_unknown_user_is_refused(demo, general):
    with pytest.raises(CommandError, match="--user") as error:
        call_command("broadcast", general.pk, "hi", user="nobody")
    assert error.value.returncode == 2


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
