import pytest
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

BEFORE = [("alert", "0001_initial"), ("chat", "0001_initial")]


def migrate(targets):
    """Migrate to those targets; return the models as they are there."""
    executor = MigrationExecutor(connection)
    executor.migrate(targets)
    return MigrationExecutor(connection).loader.project_state(targets).apps


@pytest.fixture
def before(transactional_db):
    """The models as they were before this step; afterwards all migrations are there again."""
    yield migrate(BEFORE)
    migrate(MigrationExecutor(connection).loader.graph.leaf_nodes())


@pytest.fixture
def after(before):
    """A function that runs the migrations of this step and returns the models."""
    return lambda: migrate(MigrationExecutor(connection).loader.graph.leaf_nodes())


def add_alerts(apps, *contents):
    user, _ = apps.get_model("auth", "User").objects.get_or_create(username="alice")
    for content in contents:
        apps.get_model("alert", "Alert").objects.create(content=content, user_id=user.pk)


def test_alerts_that_are_there_are_numbered_in_the_first_room(before, after):
    room = before.get_model("chat", "Room").objects.create(name="First")
    before.get_model("chat", "Room").objects.create(name="Second")
    add_alerts(before, "one", "two")
    apps = after()
    alerts = apps.get_model("alert", "Alert").objects.order_by("seq")
    assert list(alerts.values_list("content", "room_id", "seq")) == [
        ("one", room.pk, 1),
        ("two", room.pk, 2),
    ]
    assert apps.get_model("chat", "Room").objects.get(pk=room.pk).last_seq == 2


def test_alerts_without_any_room_get_one(before, after):
    add_alerts(before, "one")
    alert = after().get_model("alert", "Alert").objects.get()
    assert (alert.room.name, alert.seq) == ("General", 1)


def test_no_alerts_make_no_room(before, after):
    rooms = after().get_model("chat", "Room").objects
    assert list(rooms.values_list("name", "last_seq")) == []
