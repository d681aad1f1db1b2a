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
    """The models before this step; at the end of the test all migrations are applied again."""
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


def test_alerts_that_exist_go_into_the_first_room(before, after):
    rooms = [before.get_model("chat", "Room").objects.create(name=name) for name in ["B", "A"]]
    add_alerts(before, "one", "two")
    alerts = after().get_model("alert", "Alert").objects.order_by("pk")
    assert list(alerts.values_list("content", "room_id")) == [
        ("one", rooms[0].pk),
        ("two", rooms[0].pk),
    ]


def test_alerts_without_any_room_get_one(before, after):
    add_alerts(before, "one")
    assert after().get_model("alert", "Alert").objects.get().room.name == "General"


def test_no_alerts_make_no_room(before, after):
    apps = after()
    assert not apps.get_model("chat", "Room").objects.exists()
    assert not apps.get_model("alert", "Alert").objects.filter(room=None).exists()


def test_alerts_are_kept_on_the_way_back(before, after):
    add_alerts(before, "one")
    assert after().get_model("alert", "Alert").objects.get().room
    assert migrate(BEFORE).get_model("alert", "Alert").objects.get().content == "one"
