import re
from http.client import HTTPConnection
from urllib.parse import urlsplit

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import get_resolver, resolve

from alert.models import Alert
from alert.posting import save_alert
from chat.models import Room

from .servers import wait_until
from .sessions import session_of
from .sockets import TIMEOUT

SOCKETS = ["ws/chat/room", "ws/alert/room"]
UPGRADE = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "c2l4dGVlbiBieXRlcyEhIQ==",
}
FORGED = "\r\nforged \x1b[31m"
IMAGE = "<img src=x onerror=document.title='hacked'>"
ESCAPED_IMAGE = "&lt;img src=x onerror=document.title=&#x27;hacked&#x27;&gt;"


def request(server, path, method="GET", headers=None):
    """Return what a real server answers; its headers are those that went over the wire."""
    connection = HTTPConnection(urlsplit(server).netloc, timeout=TIMEOUT)
    try:
        connection.request(method, path, headers=headers or {})
        response = connection.getresponse()
        if response.status != 101:
            response.read()
        return response
    finally:
        connection.close()


@pytest.fixture
def handshake(live_demo, server, general):
    """A function that asks for a socket; it returns the answer of the server."""

    def shake_hands(path=f"/ws/chat/room/{general.pk}", session=None, **headers):
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        headers = {"Origin": server, "Cookie": f"sessionid={session}"} | headers
        return request(server, path, headers=UPGRADE | headers)

    return shake_hands


@pytest.fixture
def new_log(server, server_log):
    """A function that returns what the server has logged since the test began."""
    start = len(server_log.read_text())
    return lambda: server_log.read_text()[start:]


@pytest.fixture
def strict_client(demo):
    """Django's test client as a browser, as far as the protection of forms goes."""
    return Client(enforce_csrf_checks=True)


def token_of(client):
    """Return a token for the forms of that client."""
    client.get("/accounts/login/")
    return client.cookies["csrftoken"].value


def addresses(patterns=None, prefix="/"):
    """Yield an address for each view of the project, and the pattern that leads there."""
    for pattern in get_resolver().url_patterns if patterns is None else patterns:
        address = prefix + str(pattern.pattern)
        if hasattr(pattern, "url_patterns"):
            yield from addresses(pattern.url_patterns, address)
            continue
        address = re.sub(r"\(\?P<\w+>(\w+)[^)]*\)", r"\1", address)  # the first of the choices
        address = re.sub(r"\(\?P<\w+>[^)]*\)", "nowhere", address)
        yield re.sub(r"<[^>]*>", "1", address).replace("^", "").replace("$", ""), pattern


# Sessions


@pytest.mark.parametrize("path", SOCKETS)
@pytest.mark.parametrize(
    "tamper",
    [
        lambda key: "a" * len(key),
        lambda key: key[:-1],
        lambda key: key[:-1] + ("a" if key[-1] != "a" else "b"),
        lambda key: key.upper(),
        lambda key: f"{key}'--",
        lambda key: f"../{key}",
        lambda key: "",
    ],
    ids=["made up", "cut", "changed", "upper case", "sql", "path", "empty"],
)
def test_session_key_that_was_never_given_out_is_refused(handshake, general, path, tamper):
    session = tamper(session_of("alice"))
    assert handshake(f"/{path}/{general.pk}", session).status == 403


@pytest.mark.parametrize("path", SOCKETS)
def test_session_of_a_user_opens_no_room_of_others(handshake, path):
    private = Room.objects.create(name="Private")
    private.users.set(User.objects.filter(username="bob"))
    assert handshake(f"/{path}/{private.pk}", session_of("alice")).status == 403
    assert handshake(f"/{path}/{private.pk}", session_of("bob")).status == 101


def test_session_key_in_the_address_opens_nothing(handshake, general):
    path = f"/ws/chat/room/{general.pk}?sessionid={session_of('alice')}"
    assert handshake(path, Cookie="").status == 403


def test_session_of_a_user_speaks_for_that_user_whatever_the_frame_says(connect, general, alice):
    bob = connect("bob")
    lies = {"username": "alice", "user": "alice", "user_id": alice.pk, "room_id": 0, "seq": 99}
    bob.send({"message": "hi", **lies})
    frame = bob.receive("message")
    assert (frame["username"], frame["room_id"], frame["seq"]) == ("bob", general.pk, 1)


def test_post_over_http_is_by_the_signed_in_user_whatever_the_form_says(signed_in, general):
    bob = User.objects.get(username="bob")
    lies = {"username": "bob", "user": bob.pk, "room": 0, "seq": 99}
    frame = signed_in.post(f"/alert/room/{general.pk}/", {"content": "hi", **lies}).json()
    assert (frame["username"], frame["room_id"], frame["seq"]) == ("alice", general.pk, 1)


def sign_in(client, address="/accounts/login/", username="alice", **form):
    return client.post(address, {"username": username, "password": "channels", **form})


def test_session_cookie_is_out_of_reach_for_scripts_and_other_sites(demo, client):
    sign_in(client)
    cookie = client.cookies["sessionid"]
    assert cookie["httponly"]
    assert cookie["samesite"] == "Lax"


def test_session_key_of_before_the_login_is_worth_nothing_after_it(demo, client):
    session = client.session
    session["anything"] = 1
    session.save()
    fixed = session.session_key
    client.cookies["sessionid"] = fixed
    sign_in(client)
    assert client.cookies["sessionid"].value != fixed
    client.cookies["sessionid"] = fixed
    assert client.get("/chat/").status_code == 302


def test_session_key_that_the_client_has_made_up_is_not_taken_over(demo, client):
    client.cookies["sessionid"] = "a" * 32
    sign_in(client)
    assert client.cookies["sessionid"].value != "a" * 32


# Origins


@pytest.mark.parametrize("path", SOCKETS)
@pytest.mark.parametrize(
    "origin",
    [
        "null",
        "file://",
        "https://evil.example",
        "http://127.0.0.1.evil.example",
        "http://127.0.0.1@evil.example",
        "http://evil.example#@127.0.0.1",
        "http://evil.example/127.0.0.1",
        "http://evil.example?127.0.0.1",
        "http://notlocalhost",
        "http://localhost.",
        "http://2130706433",
        "http://[::1]",
    ],
)
def test_origin_of_another_host_is_refused(handshake, general, path, origin):
    answer = handshake(f"/{path}/{general.pk}", session_of("alice"), Origin=origin)
    assert answer.status == 403


@pytest.mark.parametrize("origin", ["http://[", "http://127.0.0.1:x", "http://127.0.0.1:99999"])
def test_origin_that_is_no_address_is_refused_without_a_traceback(handshake, new_log, origin):
    assert handshake(session=session_of("alice"), Origin=origin).status == 400
    handshake()
    wait_until(lambda: "REJECT" in new_log())
    assert "Traceback" not in new_log()


@pytest.mark.parametrize(
    "origin",
    [
        "http://127.0.0.1:1",
        "https://127.0.0.1",
        "HTTP://LOCALHOST",
        "http://localhost/some/page",
    ],
    ids=["another port", "another scheme", "upper case", "with a path"],
)
def test_origin_is_compared_by_its_host_alone(handshake, origin):
    assert handshake(session=session_of("alice"), Origin=origin).status == 101


# Forms of other sites


def test_addresses_are_those_of_the_views(demo):
    found = dict(addresses())
    for known in ["/accounts/login/", "/accounts/logout/", "/admin/login/", "/alert/room/1/"]:
        assert known in found
    for address, pattern in found.items():
        assert resolve(address).func == pattern.callback, address


@pytest.mark.parametrize("username", [None, "teacher"])
def test_post_without_a_token_is_refused_at_every_address(strict_client, username):
    if username:
        strict_client.force_login(User.objects.get(username=username))
    taken = [
        address
        for address, _ in addresses()
        if b"CSRF verification failed" not in strict_client.post(address).content
    ]
    assert taken == []


def test_login_with_a_token_is_taken(strict_client):
    token = token_of(strict_client)
    assert sign_in(strict_client, csrfmiddlewaretoken=token).status_code == 302


def test_token_in_the_cookie_alone_is_refused(strict_client):
    token_of(strict_client)
    assert sign_in(strict_client).status_code == 403


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://testserver:1"])
def test_post_of_another_origin_is_refused_even_with_a_token(strict_client, general, alice, origin):
    strict_client.force_login(alice)
    form = {"content": "hi", "csrfmiddlewaretoken": token_of(strict_client)}
    headers = {"origin": origin}
    answer = strict_client.post(f"/alert/room/{general.pk}/", form, headers=headers)
    assert answer.status_code == 403
    assert not Alert.objects.exists()


@pytest.mark.parametrize("referer", ["https://evil.example/", "http://testserver/", ""])
def test_secure_post_from_a_page_of_another_site_is_refused(strict_client, general, alice, referer):
    strict_client.force_login(alice)
    form = {"content": "hi", "csrfmiddlewaretoken": token_of(strict_client)}
    headers = {"referer": referer}
    answer = strict_client.post(f"/alert/room/{general.pk}/", form, headers=headers, secure=True)
    assert answer.status_code == 403
    assert not Alert.objects.exists()


# HTML in names and messages


@pytest.fixture
def hostile_names(demo, general, alice):
    """A user, the room General and a message there, all named like an image with a script."""
    mallory = User.objects.create_user(IMAGE, is_staff=True, is_superuser=True)
    general.name = IMAGE
    general.save()
    general.users.add(mallory)
    save_alert(general, mallory, IMAGE)
    return mallory


@pytest.mark.parametrize(
    "page",
    [
        "/chat/",
        "/chat/room/{room.pk}/",
        "/admin/",
        "/admin/chat/room/",
        "/admin/chat/room/{room.pk}/change/",
        "/admin/alert/alert/",
        "/admin/auth/user/",
    ],
)
def test_html_in_names_and_messages_is_text_on_every_page(client, hostile_names, general, page):
    client.force_login(hostile_names)
    html = client.get(page.format(room=general)).content.decode()
    assert ESCAPED_IMAGE in html
    assert IMAGE not in html


def test_quotes_in_a_name_do_not_end_the_attribute_that_holds_it(demo, client, general):
    mallory = User.objects.create_user('" onfocus="alert(1)')
    general.users.add(mallory)
    client.force_login(mallory)
    html = client.get(f"/chat/room/{general.pk}/").content.decode()
    assert 'data-username="&quot; onfocus=&quot;alert(1)"' in html


@pytest.mark.parametrize("field", ["next", "username"])
def test_html_in_what_was_sent_to_the_login_page_is_text_there(demo, client, field):
    hostile = f'">{IMAGE}'
    client.get("/accounts/login/", {"next": hostile})
    html = client.post("/accounts/login/", {"password": "wrong", field: hostile}).content.decode()
    assert f"&quot;&gt;{ESCAPED_IMAGE}" in html
    assert IMAGE not in html


def test_answer_with_html_in_a_message_is_no_page(signed_in, general, alice):
    save_alert(general, alice, IMAGE)
    answer = signed_in.get(f"/alert/room/{general.pk}/")
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


# Headers and lines of the log


@pytest.mark.parametrize(
    "path",
    [
        "/chat%0d%0aX-Evil:%201",
        "/admin%0d%0aX-Evil:%201/",
        "/admin/x%0d%0aX-Evil:%201",
        "/chat/?next=%0d%0aX-Evil:%201",
        "/accounts/login/?next=/chat/%0d%0aX-Evil:%201",
        "/admin/?%0d%0aX-Evil:%201",
        "//evil.example/%0d%0aX-Evil:%201",
    ],
)
def test_line_breaks_in_an_address_make_no_header(live_demo, server, path):
    headers = request(server, path).headers
    assert "X-Evil" not in headers
    assert "evil" not in urlsplit(headers.get("Location", "")).netloc


@pytest.mark.parametrize("address", ["/accounts/login/", "/admin/login/"])
def test_line_breaks_in_next_make_no_header(demo, client, address):
    form = {"next": "/chat/\r\nX-Evil: 1"}
    answer = sign_in(client, address, "teacher", **form)
    assert answer.status_code == 302
    assert not set(answer.headers["Location"]) & {"\r", "\n"}
    assert "X-Evil" not in answer.headers


@pytest.mark.parametrize(
    "header", ["Sec-WebSocket-Protocol", "Sec-WebSocket-Extensions", "Origin", "Host", "Cookie"]
)
def test_line_breaks_in_a_header_of_a_handshake_make_no_header(handshake, header):
    hostile = "http://evil:%0d%0aX-Evil: 1"
    answer = handshake(session=session_of("alice"), **{header.replace("-", "_"): hostile})
    assert "X-Evil" not in answer.headers


def test_no_protocol_is_agreed_to_that_the_client_has_made_up(handshake):
    answer = handshake(session=session_of("alice"), Sec_WebSocket_Protocol="chat, evil")
    assert "Sec-WebSocket-Protocol" not in answer.headers


def is_clean(log):
    """Tell whether no line of the log was begun, and none coloured, by a client."""
    return "\x1b" not in log and not any(line.startswith("forged") for line in log.splitlines())


@pytest.mark.parametrize(
    "path",
    [
        "/ws/chat/room/1%0d%0aforged%1b[31m",
        "/ws/chat/room/1?after=%0d%0aforged%1b[31m",
        "/ws/nowhere%0d%0aforged%1b[31m",
    ],
)
def test_line_breaks_in_the_address_of_a_socket_forge_no_line_of_the_log(handshake, new_log, path):
    handshake(path)
    wait_until(lambda: "WebSocket REJECT" in new_log())
    assert is_clean(new_log())


@pytest.mark.parametrize(
    "path", ["/chat/%0d%0aforged%1b[31m", "/alert/room/1/?after=%0d%0aforged%1b[31m"]
)
def test_line_breaks_in_an_address_forge_no_line_of_the_log(live_demo, server, new_log, path):
    request(server, path)
    wait_until(lambda: "HTTP GET" in new_log())
    assert is_clean(new_log())


@pytest.mark.parametrize("header", ["Origin", "Referer", "User-Agent", "Cookie"])
def test_colours_in_a_header_do_not_come_into_the_log(live_demo, server, new_log, header):
    request(server, "/accounts/login/", "POST", {header: "forged \x1b[31m"})
    wait_until(lambda: "HTTP POST" in new_log())
    assert is_clean(new_log())


def test_line_breaks_in_the_name_of_a_user_forge_no_line_of_the_log(connect, general, new_log):
    mallory = User.objects.create_user(f"mallory{FORGED}")
    general.users.add(mallory)
    connect(mallory.username).close()
    wait_until(lambda: new_log().count("mallory") == 2)
    assert is_clean(new_log())


def test_line_breaks_in_the_name_of_a_room_forge_no_line_of_the_log(connect, general, new_log):
    general.name = f"Lobby{FORGED}"
    general.save()
    connect("alice").close()
    wait_until(lambda: new_log().count("Lobby") == 2)
    assert is_clean(new_log())


def test_line_breaks_in_a_message_forge_no_line_of_the_log(connect, new_log):
    alice = connect("alice")
    alice.send({"message": FORGED, "client_id": FORGED})
    alice.send({"message": FORGED})
    alice.receive("message")
    alice.close()
    wait_until(lambda: "'alice' left 'General' (code 1000)" in new_log())
    assert is_clean(new_log())


# Redirects

EVIL = [
    "//evil.example",
    "///evil.example",
    "////evil.example",
    "/\\evil.example",
    "\\\\evil.example",
    "\\/evil.example",
    "https://evil.example",
    "https:///evil.example",
    "https:evil.example",
    "http:\\\\evil.example",
    "http://testserver@evil.example",
    "http://testserver.evil.example",
    "http://testserver:1/",
    "ftp://testserver/",
    "javascript:alert(1)",
    "java\nscript:alert(1)",
    "data:text/html,evil",
    "\thttps://evil.example",
    "/\t/evil.example",
    "/\n/evil.example",
    "h\nttps://evil.example",
    "\0//evil.example",
]


@pytest.mark.parametrize("evil", EVIL)
@pytest.mark.parametrize("address", ["/accounts/login/", "/admin/login/"])
def test_next_of_a_login_never_leads_away(demo, client, address, evil):
    answer = sign_in(client, address, "teacher", next=evil)
    assert (answer.status_code, answer.url) == (302, "/chat/")


@pytest.mark.parametrize("evil", EVIL)
def test_next_in_the_address_of_a_login_never_leads_away(demo, client, evil):
    client.get("/accounts/login/", {"next": evil})
    form = {"username": "alice", "password": "channels"}
    answer = client.post("/accounts/login/", form, query_params={"next": evil})
    assert (answer.status_code, answer.url) == (302, "/chat/")


@pytest.mark.parametrize("evil", EVIL)
def test_next_of_a_logout_never_leads_away(signed_in, evil):
    assert signed_in.post("/accounts/logout/", {"next": evil}).url == "/accounts/login/"


def test_next_of_a_secure_login_does_not_leave_https(demo, client):
    form = {"username": "alice", "password": "channels", "next": "http://testserver/chat/room/1/"}
    assert client.post("/accounts/login/", form, secure=True).url == "/chat/"


# The admin


@pytest.mark.parametrize("username", [None, "alice"])
def test_no_page_of_the_admin_opens_for_others_than_staff(demo, client, username):
    if username:
        client.force_login(User.objects.get(username=username))
    pages = [address for address, _ in addresses() if address.startswith("/admin/")]
    answers = {page: client.get(page) for page in pages}
    assert [page for page in pages if answers[page].status_code < 300] == ["/admin/login/"]
    moved = {urlsplit(answer.url).path for answer in answers.values() if answer.status_code == 302}
    assert moved <= {"/admin/login/", "/admin/"}


def test_staff_without_permissions_reads_no_rooms_and_no_messages(demo, client):
    client.force_login(User.objects.create_user("clerk", is_staff=True))
    for page in ["/admin/chat/room/", "/admin/alert/alert/", "/admin/auth/user/"]:
        assert client.get(page).status_code == 403


# Methods and headers


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW"])
def test_alerts_take_no_other_methods(signed_in, general, method):
    answer = signed_in.generic(method, f"/alert/room/{general.pk}/")
    assert answer.status_code == 405
    assert answer.headers["Allow"] == "GET, POST"


@pytest.mark.parametrize("header", ["x-http-method-override", "x-http-method", "x-method-override"])
def test_method_in_a_header_does_not_matter(signed_in, general, header):
    path = f"/alert/room/{general.pk}/"
    assert signed_in.get(path, {"content": "hi"}, headers={header: "POST"}).status_code == 200
    assert not Alert.objects.exists()


def test_foreign_host_is_refused(demo, client):
    assert client.get("/accounts/login/", headers={"host": "evil.example"}).status_code == 400


@pytest.mark.parametrize("page", ["/accounts/login/", "/chat/", "/chat/room/{}/", "/chat/room/0/"])
def test_pages_refuse_to_be_framed(signed_in, general, page):
    assert signed_in.get(page.format(general.pk)).headers["X-Frame-Options"] == "DENY"


@pytest.mark.parametrize("page", ["/chat/", "/chat/room/{}/", "/chat/room/0/", "/alert/room/{}/"])
def test_private_answers_are_kept_apart_by_their_cookie(signed_in, general, page):
    assert "Cookie" in signed_in.get(page.format(general.pk)).headers["Vary"]


# In a real browser


@pytest.mark.asyncio(loop_scope="session")
async def test_html_in_names_and_messages_is_text_in_the_chat(
    live_demo, hostile_names, new_visitor
):
    visitor = await new_visitor(IMAGE, IMAGE)
    page = visitor.page
    await visitor.send_message(IMAGE)
    await visitor.messages().nth(1).wait_for()
    lines = await visitor.wire_log()
    await lines.filter(has_text=IMAGE).first.wait_for()
    for text in await visitor.messages().all_inner_texts():
        assert text.startswith(f"{IMAGE} {IMAGE}")
    assert await page.locator("img").count() == 0
    assert await page.title() == f"{IMAGE} – mychannels"
