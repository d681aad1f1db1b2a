"""A real browser for the tests: the Chromium or Chrome of this machine, driven by Playwright."""

import os
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

    def __init__(self, page):
        self.page = page

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

    async def post_alert(self, content):
        """Write an alert into its form, post it and wait until it is saved."""
        await self.page.get_by_label("New alert").fill(content)
        async with self.page.expect_response("**/alert/"):
            await self.page.get_by_role("button", name="Post").click()

    async def poll(self):
        """Put the clock forward until the page asks for new alerts; wait for the answer."""
        async with self.page.expect_response("**/alert/latest/**"):
            await self.page.clock.fast_forward(2000)

    def alerts(self):
        """Return the locator of the alerts that the page shows."""
        return self.page.get_by_role("log", name="All alerts").get_by_role("listitem")

    async def meter(self, row, column="Polling"):
        """Return the number in that row and column of the meter on the page."""
        titles = await self.page.locator("#meter thead th").all_inner_texts()
        cell = self.page.locator(f"#meter tr[data-row={row}] td").nth(titles.index(column))
        return int((await cell.inner_text()).replace(",", ""))

    def wire_log(self):
        """Return the locator of the lines of the wire log."""
        return self.page.get_by_role("group", name="Lines of the wire log").get_by_role("listitem")
