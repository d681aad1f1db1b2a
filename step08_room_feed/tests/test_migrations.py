import pytest
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

BEFORE = [("alert", "0003_require_room"), ("chat", "0001_initial")]


def migrate(targets):
    """Migrate to those targets; return the models as they are there."""
    executor = MigrationExecutor(connection)
    executor.migrate(targets)
    return MigrationExecutor(connection).loader.project_state(targets).apps


@pytest.fixture
def before(transactional_db):
    """The models before this step; at the end of the test all migrations are applied again."""
    yield migrate(BEFORE)
    migrate(MigrationExecutor(connection).loader.graph.leaf_nodes())


@pytest.fixture
def after(before):
    """A function that runs the migrations of this step and returns the models."""
    return lambda: migrate(MigrationExecutor(connection).loader.graph.leaf_nodes())


def add_alerts(apps, room, *contents):
    user, _ = apps.get_model("auth", "User").objects.get_or_create(username="alice")
    for content in contents:
        alerts = apps.get_model("alert", "Alert").objects
        alerts.create(content=content, user_id=user.pk, room_id=room.pk)


def test_alerts_that_exist_are_numbered_in_their_rooms(before, after):
    first, second = [before.get_model("chat", "Room").objects.create(name=name) for name in "AB"]
    add_alerts(before, first, "one")
    add_alerts(before, second, "uno", "due")
    add_alerts(before, first, "two")
    apps = after()
    alerts = apps.get_model("alert", "Alert").objects.order_by("room_id", "seq")
    assert list(alerts.values_list("content", "room_id", "seq", "client_id")) == [
        ("one", first.pk, 1, None),
        ("two", first.pk, 2, None),
        ("uno", second.pk, 1, None),
        ("due", second.pk, 2, None),
    ]
    rooms = apps.get_model("chat", "Room").objects.order_by("pk")
    assert list(rooms.values_list("last_seq", flat=True)) == [2, 2]


def test_alerts_are_kept_on_the_way_back(before, after):
    room = before.get_model("chat", "Room").objects.create(name="A")
    add_alerts(before, room, "one", "two")
    assert after().get_model("chat", "Room").objects.get().last_seq == 2
    assert migrate(BEFORE).get_model("alert", "Alert").objects.count() == 2
