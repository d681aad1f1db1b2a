import sqlite3
from contextlib import closing, contextmanager, suppress
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from django.db import connection
from websockets.exceptions import ConnectionClosed

from .servers import run_server
from .sessions import cookie_of
from .sockets import close_code, history, open_socket

UNAVAILABLE = 4503


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("database")


@pytest.fixture(scope="module")
def database(folder):
    """The path of a database that the tests of this module can take away."""
    return folder / "copy.sqlite3"


@pytest.fixture(scope="module")
def log(folder):
    return folder / "log"


@pytest.fixture(scope="module")
def server(django_db_setup, django_db_blocker, database, log):
    """The address of a server process that uses that database."""
    # A connection that stays open doesn't notice that its file was taken away.
    environ = {"TEST_DATABASE": str(database), "TEST_CONN_MAX_AGE": "0"}
    with django_db_blocker.unblock(), run_server(log, **environ) as url:
        yield url


@pytest.fixture
def cookie(live_demo, database):
    """The cookie of alice in a fresh copy of the database of the tests."""
    cookie = cookie_of("alice")
    with (
        closing(sqlite3.connect(connection.settings_dict["NAME"])) as source,
        closing(sqlite3.connect(database)) as copy,
    ):
        source.backup(copy)
    return cookie


@pytest.fixture
def alice(cookie, server, general):
    """A real socket of alice to General."""
    with open_socket(server, f"ws/chat/room/{general.pk}", cookie) as socket:
        assert history(socket) == ([], 0)
        yield socket


@contextmanager
def taken_away(database):
    """Put a folder in the place of the database: SQLite can't open it."""
    aside = database.rename(database.with_suffix(".aside"))
    while not database.is_dir():
        database.unlink(missing_ok=True)  # the server may have made a new one in between
        with suppress(FileExistsError):
            database.mkdir()
    try:
        yield
    finally:
        database.rmdir()
        aside.rename(database)


def get(server, path, cookie):
    """Return the status, the type and the text of a page."""
    try:
        page = urlopen(Request(f"{server}{path}", headers={"Cookie": cookie}))
    except HTTPError as error:
        page = error
    with page:
        return page.status, page.headers["Content-Type"], page.read().decode()


@pytest.mark.parametrize("frame", [{"message": "hi"}, {"sync": 0}])
def test_open_socket_is_closed_when_the_database_is_down(alice, database, frame):
    with taken_away(database):
        with suppress(ConnectionClosed):  # the poll may have noticed it first
            alice.send(frame)
        assert close_code(alice) == UNAVAILABLE


def test_new_socket_is_accepted_then_closed_until_the_database_is_back(
    cookie, server, database, general
):
    path = f"ws/chat/room/{general.pk}"
    with taken_away(database), open_socket(server, path, cookie) as socket:
        assert close_code(socket) == UNAVAILABLE
    with open_socket(server, path, cookie) as socket:
        socket.send({"message": "back"})
        assert socket.receive("ack")["seq"] == 1


def test_page_is_a_plain_503_until_the_database_is_back(cookie, server, database):
    with taken_away(database):
        status, content_type, text = get(server, "/chat/", cookie)
        assert (status, content_type) == (503, "text/plain")
        assert "Try again" in text
    assert get(server, "/chat/", cookie)[0] == 200


def test_each_outage_is_one_line_in_the_log(cookie, server, database, general, log):
    path = f"ws/chat/room/{general.pk}"
    lines = []
    for _ in range(3):
        with open_socket(server, path, cookie) as socket, taken_away(database):
            with suppress(ConnectionClosed):  # the poll may have noticed it first
                socket.send({"message": "hi"})
            assert close_code(socket) == UNAVAILABLE
            with open_socket(server, path, cookie) as another:
                assert close_code(another) == UNAVAILABLE
            assert get(server, "/chat/", cookie)[0] == 503
        lines.append(log.read_text().count("The database can't be reached"))
    assert lines == [lines[0], lines[0] + 1, lines[0] + 2]
    assert "Traceback" not in log.read_text()
