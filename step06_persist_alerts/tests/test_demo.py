import pytest
from django.contrib.auth.models import User
from django.core.management import call_command

from chat.models import Room


def test_demo_creates_the_rooms_of_each_user(demo):
    assert {
        user.username: sorted(user.rooms_joined.values_list("name", flat=True))
        for user in User.objects.all()
    } == {
        "alice": ["General", "Workshop"],
        "bob": ["General"],
        "carol": ["Workshop"],
        "teacher": [],
    }


@pytest.mark.django_db(reset_sequences=True)
def test_demo_gives_the_first_rooms_the_ids_1_and_2():
    call_command("demo", verbosity=0)
    assert list(Room.objects.order_by("name").values_list("pk", "name")) == [
        (1, "General"),
        (2, "Workshop"),
    ]


def test_demo_passwords_let_everybody_in(demo, client):
    for username in ["alice", "bob", "carol", "teacher"]:
        assert client.login(username=username, password="channels")


def test_demo_makes_the_teacher_the_only_superuser(demo):
    assert User.objects.get(is_superuser=True).username == "teacher"


def test_demo_twice_is_the_same_as_once(demo):
    users = list(User.objects.order_by("pk").values())
    rooms = list(Room.objects.order_by("pk").values("pk", "name", "users"))
    call_command("demo", verbosity=0)
    assert list(User.objects.order_by("pk").values()) == users
    assert list(Room.objects.order_by("pk").values("pk", "name", "users")) == rooms


def test_demo_leaves_what_a_learner_added(demo, general):
    dave = User.objects.create_user("dave", password="secret")
    general.users.add(dave)
    call_command("demo", verbosity=0)
    assert dave.rooms_joined.get() == general
    assert dave.check_password("secret")


def test_demo_leaves_a_password_that_a_learner_changed(demo, alice):
    alice.set_password("secret")
    alice.save()
    call_command("demo", verbosity=0)
    alice.refresh_from_db()
    assert alice.check_password("secret")
