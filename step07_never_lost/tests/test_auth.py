import pytest
from django.contrib.auth.models import User
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError


def test_login_with_the_right_password_leads_to_the_rooms(demo, client):
    response = client.post("/accounts/login/", {"username": "alice", "password": "channels"})
    assert response.status_code == 302
    assert response.url == "/chat/"


def test_login_with_a_wrong_password_says_so(demo, client):
    response = client.post("/accounts/login/", {"username": "alice", "password": "wrong"})
    assert "Try again" in response.content.decode()


@pytest.mark.parametrize("debug", [True, False])
def test_login_page_names_the_demo_users_in_development_only(db, client, settings, debug):
    settings.DEBUG = debug
    assert ("Demo users" in client.get("/accounts/login/").content.decode()) is debug


def test_login_goes_back_to_the_page_that_was_asked_for(demo, client, general):
    client.login(username="alice", password="channels")
    page = f"/chat/room/{general.pk}/"
    form = {"username": "alice", "password": "channels", "next": page}
    assert client.post("/accounts/login/", form).url == page


def test_login_never_leads_to_another_site(demo, client):
    form = {"username": "alice", "password": "channels", "next": "https://evil.example/"}
    assert client.post("/accounts/login/", form).url == "/chat/"


def test_logout_leads_to_the_login_page(signed_in):
    assert signed_in.post("/accounts/logout/").url == "/accounts/login/"
    assert signed_in.get("/chat/").url == "/accounts/login/?next=/chat/"


def test_logout_needs_post(signed_in):
    assert signed_in.get("/accounts/logout/").status_code == 405


@pytest.mark.parametrize("address", ["/chat/", "/chat/room/1/"])
def test_anonymous_is_sent_to_the_login_page(db, client, address):
    assert client.get(address).url == f"/accounts/login/?next={address}"


@pytest.mark.parametrize("password", ["alice2", "short", "password", "73920184"])
def test_password_that_is_easily_guessed_is_refused(password):
    with pytest.raises(ValidationError):
        validate_password(password, User(username="alice2"))
