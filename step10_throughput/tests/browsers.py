"""A real browser for the tests: the Chromium or Chrome of this machine, driven by Playwright."""

import os
import re
import shutil
from contextlib import asynccontextmanager

import pytest

NAMES = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"]
QUIET = [
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]


def find_browser():
    """Return the path of the browser: CHROME_BIN, else the first of NAMES on PATH, else None."""
    return os.environ.get("CHROME_BIN") or next(filter(None, map(shutil.which, NAMES)), None)


def skip_or_fail(reason):
    """Skip the test for that reason; where REQUIRE_BROWSER=1 says so, fail it."""
    if os.environ.get("REQUIRE_BROWSER") == "1":
        pytest.fail(reason)
    pytest.skip(reason)


@asynccontextmanager
async def open_browser():
    """Open the browser and yield it; without one, the test is skipped or fails."""
    path = find_browser()
    if path is None:
        skip_or_fail("no browser: install chromium, or set CHROME_BIN to a Chromium or Chrome")
    try:
        from playwright.async_api import async_playwright
    except ImportError:
        skip_or_fail("no browser tests without playwright and axe-playwright-python")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=path, args=QUIET)
        yield browser
        await browser.close()


class Visitor:
    """A person with a window of their own, whose clock a test can put forward."""

    offline = False

    def __init__(self, page):
        self.page = page
        self.sockets = []

    async def sign_in(self, username, password="channels"):
        """Sign in on the login page and wait for the list of rooms."""
        await self.page.goto("/accounts/login/")
        await self.page.get_by_label("Username").fill(username)
        await self.page.get_by_label("Password").fill(password)
        await self.page.get_by_role("button", name="Sign in").click()
        await self.page.get_by_role("heading", name="Your rooms").wait_for()

    async def enter(self, room):
        """Follow the link to the room of that name and wait until its scripts run."""
        await self.page.get_by_role("link", name=room).click()
        await self.page.get_by_role("heading", name=room, exact=True).wait_for()
        await self.page.wait_for_load_state()

    async def send_message(self, message):
        """Write a message into the chat and send it as soon as the chat is connected."""
        await self.chat_says("Connected.")
        await self.write(message)

    async def write(self, message):
        """Write a message into the chat and press Send, connected or not."""
        await self.page.get_by_label("New message").fill(message)
        await self.page.get_by_role("button", name="Send").click()

    async def change_frames(self, change):
        """Let the page get, for each frame that the server sends, those that `change` returns.

        While `offline` is set, each new socket of the page is closed with 4503.
        """

        async def route(socket):
            def pass_on(frame):
                for changed in change(frame):
                    socket.send(changed)

            if self.offline:
                await socket.close(code=4503)
                return
            server = socket.connect_to_server()
            server.on_message(pass_on)
            self.sockets = [socket, server]

        await self.page.route_web_socket("**/ws/**", route)

    async def cut_off(self):
        """Close the socket of the page, and each new one until `offline` is false again."""
        self.offline = True
        for socket in self.sockets:
            await socket.close()
        await self.chat_says("Trying again")

    async def reconnect(self):
        """Put the clock forward until the page connects again."""
        self.offline = False
        await self.page.clock.fast_forward(60_000)

    async def chat_says(self, text):
        """Wait until the status line of the chat has that text, in the same case."""
        words = re.compile(re.escape(text))
        await self.page.locator("#chat [role=status]", has_text=words).wait_for()

    async def form_says(self, text):
        """Wait until the form of the chat names that problem."""
        await self.page.locator("#chat [role=alert]", has_text=text).wait_for()

    def messages(self):
        """Return the locator of the chat messages that the page shows."""
        return self.page.get_by_role("log", name="Messages").get_by_role("listitem")

    def unsaved(self):
        """Return the locator of the messages that the page shows as not saved yet."""
        return self.page.get_by_role("group", name="Not saved yet").get_by_role("listitem")

    async def meter(self, row, column="Polling"):
        """Return the number in that row and column of the meter on the page."""
        titles = await self.page.locator("#meter thead th").all_inner_texts()
        cell = self.page.locator(f"#meter tr[data-row={row}] td").nth(titles.index(column))
        return int((await cell.inner_text()).replace(",", ""))

    def wire_log(self):
        """Return the locator of the lines of the wire log."""
        return self.page.get_by_role("group", name="Lines of the wire log").get_by_role("listitem")
