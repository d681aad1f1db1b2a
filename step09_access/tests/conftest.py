"""Fixtures that several test modules share."""

import asyncio
import os
from contextlib import ExitStack
from uuid import uuid4

import pytest
import pytest_asyncio
from asgiref.sync import sync_to_async
from channels.layers import get_channel_layer
from channels.testing import WebsocketCommunicator
from django.conf import settings
from django.contrib.auth.models import User
from django.core.management import call_command
from django.db import connection

from alert import listener
from chat.models import Room
from mychannels import outages
from mychannels.routing import application

from .browsers import Visitor, open_browser
from .redis_servers import run_redis
from .servers import TIMEOUT, run_server
from .sessions import cookie_of, session_of
from .sockets import open_socket


@pytest.fixture(scope="session", autouse=True)
def redis_server():
    """The Redis that every test and every server process uses unless it says otherwise."""
    with run_redis(os.environ["REDIS_URL"]):
        yield


@pytest.fixture
def demo(db):
    """The demo users and rooms."""
    call_command("demo", verbosity=0)


@pytest.fixture
def live_demo(transactional_db):
    """The demo users and rooms, where server processes and other threads see them too."""
    call_command("demo", verbosity=0)


@pytest.fixture
def general(db):
    return Room.objects.get(name="General")


@pytest.fixture
def workshop(db):
    return Room.objects.get(name="Workshop")


@pytest.fixture
def alice(db):
    return User.objects.get(username="alice")


@pytest.fixture
def signed_in(demo, client, alice):
    """Django's test client, signed in as alice."""
    client.force_login(alice)
    return client


@pytest.fixture(scope="session")
def server_log(tmp_path_factory):
    """The path of what the server process has logged."""
    return tmp_path_factory.mktemp("server") / "log"


@pytest.fixture(scope="session")
def server(django_db_setup, django_db_blocker, server_log):
    """The address of a real server process that serves the database of the tests."""
    with django_db_blocker.unblock(), run_server(server_log) as url:
        yield url


@pytest.fixture(scope="session")
def second_server(server, django_db_blocker, tmp_path_factory):
    """The address of one more server process, with the same database."""
    with django_db_blocker.unblock(), run_server(tmp_path_factory.mktemp("second") / "log") as url:
        yield url


@pytest.fixture
def connect(live_demo, server, general):
    """A function that opens a real socket to a room for a user; no room means General."""
    with ExitStack() as sockets:

        def open_for(username, path=f"ws/chat/room/{general.pk}", server=server, **options):
            cookie = cookie_of(username) if username else None
            return sockets.enter_context(open_socket(server, path, cookie, **options))

        yield open_for


@pytest.fixture
def headers(live_demo):
    """A function that returns what a browser of that user sends with a handshake."""
    cookies = {name: cookie_of(name) for name in ["alice", "bob", "carol"]}

    def headers_of(username):
        return [(b"origin", b"http://localhost"), (b"cookie", cookies[username].encode())]

    return headers_of


@pytest_asyncio.fixture
async def communicator(headers, general):
    """Alice's connection to the consumer of General, without a server in between."""
    path = f"/ws/chat/room/{general.pk}"
    communicator = WebsocketCommunicator(application, path, headers("alice"))
    connected, _ = await communicator.connect(TIMEOUT)
    assert connected
    assert await communicator.receive_json_from(TIMEOUT) == {"msg_type": "synced", "seq": 0}
    yield communicator
    await communicator.disconnect(timeout=TIMEOUT)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser():
    """A real browser: one for all tests, which have their own windows and cookies in it."""
    async with open_browser() as browser:
        yield browser


@pytest_asyncio.fixture(loop_scope="session")
async def new_visitor(browser, server):
    """A function that opens a window for one more person; it shares nothing with the others.

    With a username the person is signed in, with the name of a room they are on its page;
    with `change_frame` their sockets can be cut off: see Visitor.change_frames.
    """
    contexts = []

    async def open_window(username=None, room=None, base_url=server, change_frame=None, **options):
        context = await browser.new_context(base_url=base_url, **options)
        contexts.append(context)
        await context.clock.install()
        context.set_default_timeout(TIMEOUT * 1000)
        visitor = Visitor(await context.new_page())
        if username:
            session = await sync_to_async(session_of)(username)
            cookie = {"name": settings.SESSION_COOKIE_NAME, "value": session, "url": base_url}
            await context.add_cookies([cookie])
        if change_frame:
            await visitor.change_frames(change_frame)
        if room:
            room_id = (await Room.objects.aget(name=room)).pk
            await visitor.page.goto(f"/chat/room/{room_id}/")
        return visitor

    yield open_window
    for context in contexts:
        await context.close()


@pytest_asyncio.fixture(loop_scope="session")
async def alice_in_general(live_demo, new_visitor):
    """Alice, signed in, on the page of the room General."""
    return await new_visitor("alice", "General")


@pytest_asyncio.fixture(loop_scope="session")
async def bob_in_general(live_demo, new_visitor):
    """Bob, signed in, on the page of the room General."""
    return await new_visitor("bob", "General")


@pytest.fixture
def own_layer(settings):
    """Keep this process apart from the servers of other tests, which share its Redis."""
    layer = settings.CHANNEL_LAYERS["default"]
    config = layer["CONFIG"] | {"prefix": str(uuid4())}
    settings.CHANNEL_LAYERS = {"default": layer | {"CONFIG": config}}


@pytest.fixture
def frequent_polls(monkeypatch):
    """Let the listener poll all the time: a test needn't wait for it."""
    monkeypatch.setattr(listener, "POLL_INTERVAL", 0.05)


@pytest_asyncio.fixture
async def join(own_layer, headers, general, monkeypatch):
    """A function that connects a user to a room, General if none is named, without a server."""
    monkeypatch.setattr(outages, "ongoing", set())
    joined = []

    async def join_as(username, path=f"ws/chat/room/{general.pk}"):
        communicator = WebsocketCommunicator(application, f"/{path}", headers(username))
        connected, _ = await communicator.connect(TIMEOUT)
        assert connected
        joined.append(communicator)
        return communicator

    yield join_as
    for communicator in joined:
        if not communicator.future.done():
            await communicator.disconnect(timeout=TIMEOUT)


@pytest_asyncio.fixture
async def queries():
    """What this process asks the database from now on, outside the test's own thread."""
    statements = []

    def note(execute, sql, *arguments):
        statements.append(sql)
        return execute(sql, *arguments)

    wrappers = await sync_to_async(lambda: connection.execute_wrappers)()
    wrappers.append(note)
    yield statements
    wrappers.remove(note)


@pytest_asyncio.fixture
async def layer(own_layer):
    return get_channel_layer()


@pytest_asyncio.fixture
async def next_event(layer):
    """A coroutine function that returns what another process is notified of next."""
    channel = await layer.new_channel()
    await layer.group_add(listener.GROUP, channel)

    async def receive():
        async with asyncio.timeout(TIMEOUT):
            return await layer.receive(channel)

    return receive
