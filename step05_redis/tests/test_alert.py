from datetime import datetime, timedelta

import pytest
from django.test import Client

from alert.forms import AlertForm
from alert.models import Alert


@pytest.fixture
def three_alerts(demo, alice):
    return [
        Alert.objects.create(content=content, user=alice) for content in ["one", "two", "three"]
    ]


def latest(client, **query):
    return client.get("/alert/latest/", query)


def contents(response):
    return [alert["content"] for alert in response.json()["alerts"]]


def test_an_alert_is_shown_by_its_content():
    assert str(Alert(content="hi")) == "hi"


def test_post_saves_an_alert_of_the_signed_in_user(signed_in, alice):
    signed_in.post("/alert/", {"content": "hi"})
    alert = Alert.objects.get()
    assert (alert.content, alert.user) == ("hi", alice)


def test_post_answers_with_the_alert(signed_in):
    response = signed_in.post("/alert/", {"content": "hi"})
    alert = Alert.objects.get()
    assert response.status_code == 201
    assert response.json() == {
        "id": alert.pk,
        "content": "hi",
        "user": "alice",
        "create_at": alert.create_at.isoformat(),
    }


def test_create_at_is_iso_8601_in_utc(signed_in):
    create_at = signed_in.post("/alert/", {"content": "hi"}).json()["create_at"]
    assert datetime.fromisoformat(create_at).utcoffset() == timedelta(0)


def test_post_ignores_a_user_in_the_form(signed_in, alice):
    signed_in.post("/alert/", {"content": "hi", "user": alice.pk + 1})
    assert Alert.objects.get().user == alice


@pytest.mark.parametrize(
    "form",
    [{}, {"content": ""}, {"content": " \t\n"}, {"content": "x" * 201}, {"content": "a\x00"}],
)
def test_post_without_usable_content_is_refused_with_a_message(signed_in, form):
    response = signed_in.post("/alert/", form)
    assert response.status_code == 400
    assert response.json()["message"].startswith("content: ")
    assert not Alert.objects.exists()


def test_post_of_blanks_is_answered_in_plain_words(signed_in):
    message = signed_in.post("/alert/", {"content": " "}).json()["message"]
    assert message == "content: Write something first."


def test_lone_surrogates_are_refused():
    assert AlertForm({"content": "a\ud83d"}).errors.keys() == {"content"}


def test_post_keeps_the_spaces_around_the_content(signed_in):
    assert signed_in.post("/alert/", {"content": " hi "}).json()["content"] == " hi "


def test_post_of_200_characters_is_saved(signed_in):
    assert signed_in.post("/alert/", {"content": "é" * 200}).status_code == 201


def test_post_without_a_csrf_token_is_refused(demo, alice):
    client = Client(enforce_csrf_checks=True)
    client.force_login(alice)
    assert client.post("/alert/", {"content": "hi"}).status_code == 403


def test_post_of_an_anonymous_client_saves_nothing(db, client):
    assert client.post("/alert/", {"content": "hi"}).status_code == 302
    assert not Alert.objects.exists()


def test_latest_sends_an_anonymous_client_to_the_login_page(db, client):
    assert latest(client).url == "/accounts/login/?next=/alert/latest/"


def test_get_of_the_post_address_is_refused(signed_in):
    assert signed_in.get("/alert/").status_code == 405


def test_latest_answers_with_all_alerts_oldest_first(signed_in, three_alerts):
    assert contents(latest(signed_in)) == ["one", "two", "three"]


def test_latest_after_an_id_answers_with_what_came_later(signed_in, three_alerts):
    assert contents(latest(signed_in, after=three_alerts[0].pk)) == ["two", "three"]


def test_latest_after_the_last_id_is_empty(signed_in, three_alerts):
    assert contents(latest(signed_in, after=three_alerts[-1].pk)) == []


def test_latest_has_at_most_100_alerts(signed_in, alice):
    Alert.objects.bulk_create(Alert(content=f"{n}", user=alice) for n in range(101))
    assert contents(latest(signed_in)) == [f"{n}" for n in range(100)]


@pytest.mark.parametrize("after", ["", "-1", "abc", "1.5", str(2**63)])
def test_latest_after_something_else_is_refused_with_a_message(signed_in, after):
    response = latest(signed_in, after=after)
    assert response.status_code == 400
    assert response.json()["message"].startswith("after: ")
