import pytest
from django.contrib.auth.models import User

from chat.admin import RoomAdmin
from chat.models import Room


def test_a_room_is_shown_by_its_name():
    assert str(Room(name="General")) == "General"


def test_home_redirects_to_the_rooms(client):
    assert client.get("/").url == "/chat/"


def test_room_list_shows_the_rooms_that_the_user_has_joined(demo, client):
    client.force_login(User.objects.get(username="bob"))
    assert [room.name for room in client.get("/chat/").context["rooms"]] == ["General"]


def test_room_list_of_a_user_without_rooms_says_so(demo, client):
    client.force_login(User.objects.get(username="teacher"))
    assert "haven’t joined a room" in client.get("/chat/").content.decode()


def test_room_opens_for_a_member(signed_in, general):
    response = signed_in.get(f"/chat/room/{general.pk}/")
    assert response.status_code == 200
    assert response.context["room"] == general


@pytest.mark.parametrize("username", ["carol", "teacher"])
def test_room_is_closed_to_everybody_else(demo, client, general, username):
    client.force_login(User.objects.get(username=username))
    assert client.get(f"/chat/room/{general.pk}/").status_code == 403


@pytest.mark.parametrize("room_id", [0, 999, 10**30])
def test_room_that_does_not_exist_looks_like_a_closed_one(signed_in, room_id):
    assert signed_in.get(f"/chat/room/{room_id}/").status_code == 403


def test_room_name_is_text_on_its_page(signed_in, general):
    Room.objects.filter(pk=general.pk).update(name="<b>loud</b>")
    page = signed_in.get(f"/chat/room/{general.pk}/").content.decode()
    assert "&lt;b&gt;loud&lt;/b&gt;" in page
    assert "<b>loud</b>" not in page


@pytest.mark.parametrize(
    ("username", "page", "title"),
    [
        (None, "/accounts/login/", "Sign in"),
        ("alice", "/chat/", "Your rooms"),
        ("alice", "/chat/room/{room}/", "General"),
        ("carol", "/chat/room/{room}/", "No access"),
    ],
)
def test_page_has_a_title_of_its_own(demo, client, general, username, page, title):
    if username:
        client.force_login(User.objects.get(username=username))
    content = client.get(page.format(room=general.pk)).content.decode()
    assert f"<title>{title} – mychannels</title>" in content


@pytest.mark.parametrize("page", ["/chat/", "/chat/room/{room}/"])
def test_page_behind_the_login_is_not_stored_by_the_browser(signed_in, general, page):
    response = signed_in.get(page.format(room=general.pk))
    assert "no-store" in response.headers["Cache-Control"]


def test_room_page_links_to_the_rooms_that_the_user_has_joined(demo, client, general):
    client.force_login(User.objects.get(username="bob"))
    assert list(client.get(f"/chat/room/{general.pk}/").context["rooms"]) == [general]


@pytest.mark.parametrize("page", ["/accounts/login/", "/chat/", "/chat/room/{room}/"])
def test_header_names_step_and_server_in_development(
    signed_in, general, settings, monkeypatch, page
):
    settings.DEBUG = True
    monkeypatch.setenv("SERVER", "2 of 2")
    content = signed_in.get(page.format(room=general.pk), SERVER_PORT="8001").content.decode()
    assert f"{settings.BASE_DIR.name}, port 8001, server 2 of 2" in content


def test_header_names_no_step_in_production(signed_in, settings):
    assert not settings.DEBUG
    assert f"{settings.BASE_DIR.name}, port" not in signed_in.get("/chat/").content.decode()


@pytest.mark.parametrize("model", ["chat/room", "alert/alert"])
def test_admin_lists_rooms_and_alerts(demo, client, model):
    client.force_login(User.objects.get(username="teacher"))
    assert client.get(f"/admin/{model}/").status_code == 200


def test_admin_renames_a_room_while_somebody_posts(demo, client, general, monkeypatch):
    get_object = RoomAdmin.get_object

    def get_object_and_post(*arguments):
        room = get_object(*arguments)
        Room.objects.filter(pk=general.pk).update(last_seq=1)
        return room

    monkeypatch.setattr(RoomAdmin, "get_object", get_object_and_post)
    client.force_login(User.objects.get(username="teacher"))
    client.post(f"/admin/chat/room/{general.pk}/change/", {"name": "Everybody"})
    general.refresh_from_db()
    assert (general.name, general.last_seq) == ("Everybody", 1)


def test_admin_adds_a_room(demo, client):
    client.force_login(User.objects.get(username="teacher"))
    client.post("/admin/chat/room/add/", {"name": "New"})
    assert Room.objects.get(name="New").last_seq == 0


def test_admin_is_closed_to_users_who_are_not_staff(signed_in):
    assert signed_in.get("/admin/").url == "/admin/login/?next=/admin/"
