import pytest
from django.contrib.auth.models import User
from redis.exceptions import RedisError

from alert import posting
from alert.models import Alert
from alert.posting import post_alert


async def fail(alert):
    raise RedisError("no Redis")


def test_alert_is_announced_only_after_the_commit(
    demo, general, alice, monkeypatch, django_capture_on_commit_callbacks
):
    announced = []

    async def note(alert):
        announced.append(alert)

    monkeypatch.setattr(posting, "send_alert", note)
    with django_capture_on_commit_callbacks(execute=True):
        alert = post_alert(general, alice, "hi")
        assert announced == []
    assert announced == [alert]


def test_alert_that_cannot_be_saved_is_not_announced(live_demo, general, alice, monkeypatch):
    monkeypatch.setattr(posting, "send_alert", fail)
    with pytest.raises(ValueError, match="unsaved"):
        post_alert(general, User(username="not saved"), "hi")
    assert not Alert.objects.exists()


def test_alert_that_cannot_be_announced_is_stored(live_demo, general, client, alice, monkeypatch):
    monkeypatch.setattr(posting, "send_alert", fail)
    client.force_login(alice)
    assert client.post(f"/alert/room/{general.pk}/", {"content": "hi"}).status_code == 201
    assert Alert.objects.get().content == "hi"


def test_alert_by_post_reaches_the_open_sockets(connect, general, client, alice):
    bob = connect("bob")
    client.force_login(alice)
    frame = client.post(f"/alert/room/{general.pk}/", {"content": "from a view"}).json()
    assert bob.receive("message") == frame
