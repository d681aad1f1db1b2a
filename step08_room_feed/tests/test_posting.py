from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import pytest
from django.contrib.auth.models import User
from django.db import connection
from redis.exceptions import RedisError

from alert import posting
from alert.models import Alert
from alert.posting import post_alert, save_alert
from chat.models import Room


async def fail(numbers):
    raise RedisError("no Redis")


def save_at_once(room, user, client_ids):
    """Save an alert for each client_id, from four threads; return what save_alert returns."""

    def save(client_id):
        try:
            return save_alert(room, user, "hi", client_id)
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as threads:
        return list(threads.map(save, client_ids))


def test_alerts_that_are_saved_at_once_have_numbers_without_holes(live_demo, general, alice):
    saved = save_at_once(general, alice, [uuid4() for _ in range(40)])
    assert sorted(alert.seq for alert, _ in saved) == list(range(1, 41))
    general.refresh_from_db()
    assert general.last_seq == 40


def test_alert_that_is_sent_many_times_at_once_is_stored_once(live_demo, general, alice):
    saved = save_at_once(general, alice, [uuid4()] * 20)
    assert sorted(created for _, created in saved) == [False] * 19 + [True]
    assert {alert.seq for alert, _ in saved} == {1}
    assert Alert.objects.count() == 1


def test_each_room_has_numbers_of_its_own(demo, general, workshop, alice):
    rooms = [general, general, workshop]
    assert [save_alert(room, alice, "hi")[0].seq for room in rooms] == [1, 2, 1]


def test_client_id_is_that_of_one_user_in_one_room(demo, general, workshop, alice):
    bob, client_id = User.objects.get(username="bob"), uuid4()
    saved = [
        save_alert(room, user, "hi", client_id)
        for room, user in [(general, alice), (general, bob), (workshop, alice)]
    ]
    assert all(created for _, created in saved)


def test_alert_that_cannot_be_saved_leaves_no_hole(live_demo, general, alice):
    with pytest.raises(ValueError, match="unsaved"):
        save_alert(general, User(username="not saved"), "hi")
    assert save_alert(general, alice, "hi")[0].seq == 1


def test_alert_for_a_room_that_was_deleted_is_refused(demo, general, alice):
    Room.objects.all().delete()
    with pytest.raises(Room.DoesNotExist):
        save_alert(general, alice, "hi")


def test_alert_is_announced_only_after_the_commit(
    demo, general, alice, monkeypatch, django_capture_on_commit_callbacks
):
    announced = []

    async def note(numbers):
        announced.append(numbers)

    monkeypatch.setattr(posting, "notify", note)
    with django_capture_on_commit_callbacks(execute=True):
        post_alert(general, alice, "hi")
        assert announced == []
    assert announced == [[(general.pk, 1)]]


def test_alert_that_cannot_be_saved_is_not_announced(live_demo, general, alice, monkeypatch):
    monkeypatch.setattr(posting, "notify", fail)
    with pytest.raises(ValueError, match="unsaved"):
        post_alert(general, User(username="not saved"), "hi")
    assert not Alert.objects.exists()


def test_alert_that_cannot_be_announced_is_stored(live_demo, general, client, alice, monkeypatch):
    monkeypatch.setattr(posting, "notify", fail)
    client.force_login(alice)
    assert client.post(f"/alert/room/{general.pk}/", {"content": "hi"}).status_code == 201
    assert Alert.objects.get().content == "hi"


def test_alert_by_post_reaches_the_open_sockets(connect, general, client, alice):
    bob = connect("bob")
    client.force_login(alice)
    frame = client.post(f"/alert/room/{general.pk}/", {"content": "from a view"}).json()
    assert bob.receive("message") == frame
