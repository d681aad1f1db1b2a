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


def test_demo_says_what_it_did(db, capsys):
    call_command("demo")
    assert capsys.readouterr().out == (
        "Created the demo users and rooms; the password is channels.\n"
    )


def test_demo_leaves_what_a_person_changed(demo, general, alice):
    dave = User.objects.create_user("dave", password="secret")
    general.users.set([dave])
    general.name = "Lounge"
    general.save()
    alice.delete()
    call_command("demo", verbosity=0)
    assert list(Room.objects.order_by("pk").values_list("name", flat=True)) == [
        "Lounge",
        "Workshop",
    ]
    assert general.users.get() == dave
    assert not User.objects.filter(username="alice").exists()


def test_demo_does_nothing_in_a_database_that_is_in_use(db, capsys):
    User.objects.create_user("dave", password="secret")
    call_command("demo")
    assert capsys.readouterr().out == ""
    assert not Room.objects.exists()
