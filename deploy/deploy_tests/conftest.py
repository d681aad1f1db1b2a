"""Fixtures that several test modules share."""

import json
from contextlib import ExitStack

import pytest
import pytest_asyncio
from tests.browsers import Visitor, open_browser

from .clients import Client
from .machines import run_site

ROOM = "ws/chat/room/1"


@pytest.fixture(scope="session")
def site(tmp_path_factory):
    """The site: nginx, two Daphnes, Redis and PostgreSQL, with the demo data."""
    with run_site(tmp_path_factory.mktemp("site")) as site:
        yield site


@pytest.fixture
def client(site):
    """A client that isn't signed in."""
    return Client(site)


@pytest.fixture(scope="session")
def alice(site):
    """Alice, signed in."""
    client = Client(site)
    client.sign_in("alice")
    return client


@pytest.fixture(scope="session")
def bob(site):
    """Bob, signed in."""
    client = Client(site)
    client.sign_in("bob")
    return client


@pytest.fixture
def health(client):
    """A function that returns the status and the JSON of /health/."""

    def ask():
        response = client.get("/health/")
        return response.status, json.load(response)

    return ask


@pytest.fixture
def connect():
    """A function that opens a client's socket to the room General."""
    with ExitStack() as sockets:

        def open_for(client, path=ROOM, **options):
            return sockets.enter_context(client.open_socket(path, **options))

        yield open_for


@pytest_asyncio.fixture(scope="session")
async def browser():
    """A real browser."""
    async with open_browser() as browser:
        yield browser


@pytest_asyncio.fixture
async def visitor(site, browser):
    """A person with a browser window; `problems` collects the browser's complaints."""
    context = await browser.new_context(base_url=site.url, ignore_https_errors=True)
    visitor = Visitor(await context.new_page())
    visitor.problems = []
    visitor.page.on("pageerror", lambda error: visitor.problems.append(str(error)))

    def note(message):
        no_icon = message.location["url"].endswith("/favicon.ico")  # the admin has none
        if message.type == "error" and not no_icon:
            visitor.problems.append(message.text)

    visitor.page.on("console", note)
    yield visitor
    await context.close()
