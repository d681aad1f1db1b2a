from datetime import datetime, timedelta
from uuid import uuid4

import pytest
from django.contrib.auth.models import User
from django.db.models import ProtectedError
from django.test import Client

from alert.forms import AlertForm
from alert.models import Alert
from alert.posting import save_alert


@pytest.fixture
def address(demo, general):
    return f"/alert/room/{general.pk}/"


@pytest.fixture
def three_alerts(demo, general, alice):
    return [save_alert(general, alice, content)[0] for content in ["one", "two", "three"]]


def contents(response):
    return [alert["message"] for alert in response.json()["alerts"]]


def test_an_alert_is_shown_by_its_content():
    assert str(Alert(content="hi")) == "hi"


def test_post_saves_an_alert_of_the_signed_in_user(signed_in, address, general, alice):
    signed_in.post(address, {"content": "hi"})
    alert = Alert.objects.get()
    assert (alert.content, alert.room, alert.user, alert.seq) == ("hi", general, alice, 1)


def test_post_answers_with_the_frame(signed_in, address, general):
    client_id = str(uuid4())
    response = signed_in.post(address, {"content": "hi", "client_id": client_id})
    alert = Alert.objects.get()
    assert response.status_code == 201
    assert response.json() == {
        "msg_type": "message",
        "room_id": general.pk,
        "seq": 1,
        "username": "alice",
        "message": "hi",
        "create_at": alert.create_at.isoformat(),
        "client_id": client_id,
    }


def test_post_without_a_client_id_answers_with_null(signed_in, address):
    assert signed_in.post(address, {"content": "hi"}).json()["client_id"] is None


def test_post_of_the_same_client_id_answers_with_the_same_frame(signed_in, address):
    form = {"content": "hi", "client_id": str(uuid4())}
    first, second = signed_in.post(address, form), signed_in.post(address, form)
    assert (first.status_code, second.status_code) == (201, 200)
    assert first.json() == second.json()
    assert Alert.objects.count() == 1


def test_post_of_a_bad_client_id_is_refused_with_a_message(signed_in, address):
    response = signed_in.post(address, {"content": "hi", "client_id": "1"})
    assert response.status_code == 400
    assert response.json()["message"].startswith("client_id: ")


def test_create_at_is_iso_8601_in_utc(signed_in, address):
    create_at = signed_in.post(address, {"content": "hi"}).json()["create_at"]
    assert datetime.fromisoformat(create_at).utcoffset() == timedelta(0)


def test_post_ignores_a_user_and_a_room_in_the_form(signed_in, address, general, workshop, alice):
    signed_in.post(address, {"content": "hi", "user": alice.pk + 1, "room": workshop.pk})
    alert = Alert.objects.get()
    assert (alert.user, alert.room) == (alice, general)


@pytest.mark.parametrize(
    "form",
    [{}, {"content": ""}, {"content": " \t\n"}, {"content": "x" * 201}, {"content": "a\x00"}],
)
def test_post_without_usable_content_is_refused_with_a_message(signed_in, address, form):
    response = signed_in.post(address, form)
    assert response.status_code == 400
    assert response.json()["message"].startswith("content: ")
    assert not Alert.objects.exists()


def test_post_of_blanks_is_answered_in_plain_words(signed_in, address):
    message = signed_in.post(address, {"content": " "}).json()["message"]
    assert message == "content: Write something first."


def test_lone_surrogates_are_refused():
    assert AlertForm({"content": "a\ud83d"}).errors.keys() == {"content"}


def test_post_keeps_the_spaces_around_the_content(signed_in, address):
    assert signed_in.post(address, {"content": " hi "}).json()["message"] == " hi "


def test_post_of_200_characters_is_saved(signed_in, address):
    assert signed_in.post(address, {"content": "é" * 200}).status_code == 201


def test_post_without_a_csrf_token_is_refused(address, alice):
    client = Client(enforce_csrf_checks=True)
    client.force_login(alice)
    assert client.post(address, {"content": "hi"}).status_code == 403


@pytest.mark.parametrize("method", ["get", "post"])
def test_alerts_of_a_room_are_closed_to_non_members(client, address, method):
    client.force_login(User.objects.get(username="carol"))
    response = getattr(client, method)(address, {"content": "hi"})
    assert response.status_code == 403
    assert "access" in response.json()["message"]
    assert not Alert.objects.exists()


def test_room_that_does_not_exist_looks_like_a_closed_one(signed_in):
    assert signed_in.get("/alert/room/0/").status_code == 403


@pytest.mark.parametrize("method", ["get", "post"])
def test_anonymous_is_sent_to_the_login_page(client, address, method):
    response = getattr(client, method)(address, {"content": "hi"})
    assert response.url.startswith("/accounts/login/?next=/alert/room/")
    assert not Alert.objects.exists()


def test_other_methods_are_refused(signed_in, address):
    assert signed_in.put(address).status_code == 405


def test_get_answers_with_all_alerts_oldest_first(signed_in, address, three_alerts):
    assert contents(signed_in.get(address)) == ["one", "two", "three"]


def test_get_answers_with_frames(signed_in, address, three_alerts):
    assert signed_in.get(address).json()["alerts"][0] == three_alerts[0].as_frame()


def test_get_after_a_number_answers_with_what_came_later(signed_in, address, three_alerts):
    assert contents(signed_in.get(address, {"after": 1})) == ["two", "three"]


def test_get_brings_the_alerts_of_that_room_alone(signed_in, workshop, three_alerts):
    assert contents(signed_in.get(f"/alert/room/{workshop.pk}/")) == []


def test_get_has_at_most_100_alerts(signed_in, address, general, alice):
    alerts = [Alert(room=general, seq=n + 1, user=alice, content=f"{n}") for n in range(101)]
    Alert.objects.bulk_create(alerts)
    assert contents(signed_in.get(address)) == [f"{n}" for n in range(100)]


@pytest.mark.parametrize("after", ["", "-1", "abc", "1.5", str(2**63)])
def test_get_after_something_else_is_refused_with_a_message(signed_in, address, after):
    response = signed_in.get(address, {"after": after})
    assert response.status_code == 400
    assert response.json()["message"].startswith("after: ")


@pytest.mark.parametrize("old", ["/alert/", "/alert/latest/"])
def test_addresses_of_polling_no_longer_exist(signed_in, old):
    assert signed_in.get(old).status_code == 404


def test_user_who_has_said_something_cannot_be_deleted(three_alerts, alice):
    with pytest.raises(ProtectedError):
        alice.delete()


def test_admin_lists_the_room_and_the_number_of_each_alert(three_alerts, client):
    client.force_login(User.objects.get(username="teacher"))
    page = client.get("/admin/alert/alert/").content.decode()
    assert "column-room" in page
    assert "column-seq" in page


@pytest.mark.parametrize("page", ["add/", "{pk}/delete/", "{pk}/change/"])
def test_admin_leaves_alerts_as_they_are(three_alerts, client, page):
    client.force_login(User.objects.get(username="teacher"))
    address = f"/admin/alert/alert/{page.format(pk=three_alerts[0].pk)}"
    assert client.post(address, {"content": "something else", "post": "yes"}).status_code == 403


def test_admin_shows_an_alert(three_alerts, client):
    client.force_login(User.objects.get(username="teacher"))
    address = f"/admin/alert/alert/{three_alerts[0].pk}/change/"
    assert client.get(address).status_code == 200
