"""Checks of the built guide, in a real browser: `make docs` comes before."""

import os
import re
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import sync_playwright

from course.learn.browser import find_browser
from course.learn.docs import DOCS, SITE

PAGES = sorted(file.stem for file in DOCS.glob("*.md") if file.stem != "LICENSE")
VIEWS = [(390, "dark"), (1280, "light")]
FOUND_BY = {
    "No route found for path": "pitfalls",
    "SynchronousOnlyOperation": "pitfalls",
    "coroutine was never awaited": "pitfalls",
    "can not serialize": "pitfalls",
    "Daphne must be listed before": "pitfalls",
    "group_discard": "step04",
    "select_for_update": "step07",
}


@pytest.fixture(scope="session")
def browser():
    if not find_browser() and os.environ.get("REQUIRE_BROWSER") != "1":
        pytest.skip("no browser")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=find_browser())
        yield chromium
        chromium.close()


@pytest.fixture
def open_page(browser):
    """A function that opens a page of the guide; it fails if the page asks for anything else."""
    pages, elsewhere = [], []

    def open_view(name, width=1280, scheme="light"):
        viewport = {"width": width, "height": 900}
        page = browser.new_page(viewport=viewport, color_scheme=scheme)
        pages.append(page)
        page.on("request", lambda request: elsewhere.append(request.url))
        page.goto(f"file://{SITE / name}")
        return page

    yield open_view
    for page in pages:
        page.close()
    outside = [url for url in elsewhere if not url.startswith(("file:", "data:"))]
    assert outside == []


@pytest.mark.parametrize(("width", "scheme"), VIEWS)
@pytest.mark.parametrize("name", [*PAGES, "search"])
def test_page_is_accessible_and_fits(open_page, name, width, scheme):
    page = open_page(f"{name}.html", width, scheme)
    page.wait_for_load_state("load")
    results = Axe().run(page)
    assert results.violations_count == 0, results.generate_report()
    assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("name", PAGES)
def test_pictures_have_a_text(open_page, name):
    page = open_page(f"{name}.html")
    pictures = page.locator("article img")
    texts = [picture.get_attribute("alt") for picture in pictures.all()]
    assert all(texts)
    if re.fullmatch(r"step\d\d", name):
        assert texts


@pytest.mark.parametrize("name", [name for name in PAGES if re.fullmatch(r"step\d\d", name)])
def test_first_use_of_a_term_links_to_the_glossary(open_page, name):
    page = open_page(f"{name}.html")
    links = page.locator("article a[href*='glossary.html#term-']")
    targets = [link.get_attribute("href") for link in links.all()]
    assert len(targets) >= 4
    assert len(targets) == len(set(targets))


@pytest.mark.parametrize("words", FOUND_BY)
def test_search_finds_messages_by_their_words(open_page, words):
    page = open_page(f"search.html?q={words.replace(' ', '+')}")
    page.locator(f"#search-results a[href*='{FOUND_BY[words]}']").first.wait_for()


def test_titles_in_backticks_of_the_pitfalls_are_found(open_page):
    titles = re.findall(r"(?m)^### .*?`([^`]{12,60})", (DOCS / "pitfalls.md").read_text())
    assert len(titles) > 20
    page = open_page("search.html")
    for title in titles:
        words = " ".join(re.findall(r"[A-Za-z_]{4,}", title)[:4])
        page.goto(f"file://{SITE}/search.html?q={words.replace(' ', '+')}")
        page.locator("#search-results a[href*='pitfalls']").first.wait_for(timeout=20_000)


def test_next_and_previous_lead_through_all_chapters(open_page):
    page, seen = open_page("index.html"), []
    while page.locator("a.next-page").count():
        page.goto(f"file://{SITE / Path(page.locator('a.next-page').get_attribute('href'))}")
        seen.append(Path(page.url.split("#")[0]).stem)
    assert seen[:10] == [f"step{number:02}" for number in range(1, 11)]
    assert set(seen) == set(PAGES) - {"index"}


def test_copy_button_copies_the_new_lines_alone(open_page):
    page = open_page("step04.html")
    page.context.grant_permissions([])
    hunk = page.locator(".stepdiff", has_text="Echo").first
    exclude = ".linenos, .gp, .go, .sign, del, .context"
    copied = hunk.locator("pre").first.evaluate(
        """(pre, exclude) => {
            const copy = pre.cloneNode(true);
            copy.querySelectorAll(exclude).forEach((node) => node.remove());
            return copy.textContent;
        }""",
        exclude,
    )
    assert hunk.locator("button.copybtn").count() >= 1
    assert exclude in (SITE / "_static/copybutton.js").read_text()
    assert copied.startswith('    """Send what a member of the room sends to everyone')
    assert "Echo" not in copied


def test_page_prints_on_white_with_its_answers_unfolded(open_page):
    page = open_page("step04.html", scheme="dark")
    page.emulate_media(media="print", color_scheme="dark")
    backgrounds = [
        page.locator(selector).first.evaluate("(node) => getComputedStyle(node).backgroundColor")
        for selector in (".stepdiff ins", ".stepdiff del", ".highlight-diff .gi")
    ]
    assert all(min(map(int, re.findall(r"\d+", color)[:3])) > 200 for color in backgrounds)
    folded = page.locator("details:not([open])")
    before = folded.count()
    assert before > 0
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert folded.count() == 0
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert folded.count() == before
