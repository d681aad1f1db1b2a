import pytest

LOGIN = "/accounts/login/"


@pytest.fixture
def plain_http(site):
    return f"http://127.0.0.1:{site.http_port}"


def test_http_is_redirected_to_https(client, plain_http):
    response = client.get("/chat/?a=b", plain_http)
    assert response.status == 301
    assert response.headers["Location"] == "https://127.0.0.1/chat/?a=b"


def test_hsts_is_for_https_only(client, plain_http):
    assert "max-age" in client.get(LOGIN).headers["Strict-Transport-Security"]
    assert "Strict-Transport-Security" not in client.get(LOGIN, plain_http).headers


def test_client_cannot_forge_the_protocol(client, plain_http):
    assert client.get(LOGIN, plain_http, X_Forwarded_Proto="https").status == 301
    assert client.get(LOGIN, X_Forwarded_Proto="http").status == 200


def test_daphne_redirects_http_to_https_too(site, client):
    response = client.get(LOGIN, f"http://127.0.0.1:{site.daphnes[0].port}")
    assert response.status == 301
    assert response.headers["Location"].startswith("https://")


def test_client_cannot_forge_its_address(site, client):
    client.get(LOGIN, X_Forwarded_For="192.0.2.1")
    assert "127.0.0.1:" in site.log()
    assert "192.0.2.1" not in site.log()


def test_foreign_host_is_refused(client):
    assert client.get(LOGIN, Host="foreign.example").status == 400


def test_cookies_are_for_https(alice):
    assert alice.cookie("csrftoken").secure
    assert alice.cookie("sessionid").secure


def test_session_is_not_for_scripts(alice):
    assert alice.cookie("sessionid").has_nonstandard_attr("HttpOnly")


def test_page_can_see_that_another_user_signed_in(alice):
    assert not alice.cookie("csrftoken").has_nonstandard_attr("HttpOnly")
    assert b'data-csrf-cookie="csrftoken"' in alice.get("/chat/").read()


@pytest.mark.parametrize("host", ["127.0.0.1", "foreign.example"])
def test_pages_have_a_strict_content_security_policy(client, host):
    policy = client.get(LOGIN, Host=host).headers["Content-Security-Policy"]
    assert "default-src 'self'" in policy
    assert "unsafe" not in policy


def test_nginx_serves_the_static_files_itself(site, client):
    response = client.get("/static/chat.js")
    assert response.status == 200
    assert "javascript" in response.headers["Content-Type"]
    assert response.read() == (site.static_root / "chat.js").read_bytes()
    assert "/static/chat.js" not in site.log()


def test_unchanged_static_file_is_not_sent_again(client):
    first = client.get("/static/chat.js")
    assert first.headers["Cache-Control"] == "no-cache"
    assert client.get("/static/chat.js", If_None_Match=first.headers["ETag"]).status == 304


def test_too_much_data_does_not_reach_django(alice):
    assert alice.post("/alert/room/1/", content="x" * 70_000).status == 413


def test_signing_in_leads_to_the_rooms(client):
    response = client.sign_in("carol")
    assert (response.status, response.headers["Location"]) == (302, "/chat/")
    assert b"Workshop" in client.get("/chat/").read()


def test_form_of_a_foreign_page_is_refused(client):
    client.get(LOGIN)
    assert client.post(LOGIN, origin="https://foreign.example").status == 403


def test_client_cannot_forge_the_root_path(client):
    response = client.get(LOGIN, Daphne_Root_Path="/elsewhere")
    assert response.status == 200
    assert b"/elsewhere" not in response.read()
