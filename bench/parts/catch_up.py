"""How long a room page takes to show the messages that it missed, in a real browser."""

import json
import re
import time
from functools import partial
from urllib.request import urlopen

from bench.figures import Table, cells, grouped, middle
from bench.servers import TARGETS, serve
from course.errors import say
from course.learn.browser import find_browser
from course.learn.ports import any_free_port
from course.venv import ensure

SERVER = "step 10 on Daphne"
SERVERS = ["step 7 on Daphne", SERVER]
MISSED = [1000, 10_000]
GOAL = 3  # seconds, for the largest of MISSED
PATIENCE = 60  # seconds for the page to show everything
PAUSE = 0.5  # seconds until we ask again whether it does
READS = {  # besides the servers
    f"{TARGETS[name].folder.name}/{folder}"
    for name in SERVERS
    for folder in ["static", "templates"]
}
TITLE = "Catching up: a page that missed messages"
NOTE = (
    "A page in Chromium is offline while others write, then it connects again. seconds: from the "
    "browser's `online` event until the page has shown the newest line at the end of its feed, for "
    f"a frame; the goal is less than {GOAL} for {MISSED[-1]:,} messages. µs: that time for one "
    "message. CPU: seconds of CPU time of the server meanwhile. Page and server share the cores."
)
RESULT = re.compile(r"([\d.]+) s, (\d+) lines")
# When it is done, the title is a RESULT. Each frame looks at the last line only and asks for the
# next frame, so that the page has little to do besides its own work.
WATCH = """(text) => {
  const feed = document.querySelector("#chat .feed");
  const countLines = () => feed.querySelectorAll("li:not(.day)").length;

  function showsNewest() {
    const line = feed.querySelector("ol").lastElementChild;
    const bottom = () => line.getBoundingClientRect().bottom;
    return line.textContent.includes(text) && bottom() <= feed.getBoundingClientRect().bottom;
  }

  window.addEventListener("online", ({ timeStamp }) => {
    const before = countLines();
    let shown = false; // in the frame before

    function look() {
      if (shown) {
        const seconds = (performance.now() - timeStamp) / 1000;
        document.title = `${seconds} s, ${countLines() - before} lines`;
        return;
      }
      shown = showsNewest();
      requestAnimationFrame(look);
    }

    requestAnimationFrame(look);
  });
}"""


def jobs(full):
    if not find_browser():
        say("Catching up is not measured: install chromium, or set CHROME_BIN to a Chromium.")
        return
    ensure("browser")
    for name in SERVERS if full else [SERVER]:
        for missed in MISSED:
            yield partial(measure, name, missed)


def measure(name, missed):
    """Let a page miss messages and come back; return the run."""
    from playwright.sync_api import sync_playwright

    port = any_free_port()
    options = [f"--remote-debugging-port={port}", "--window-size=1280,900"]
    with serve(TARGETS[name], members=2, history=1) as serving, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_browser(), args=options)
        tools = playwright.chromium.connect_over_cdp(f"http://127.0.0.1:{port}")
        page = open_room(tools.contexts[0], serving)
        page.context.set_offline(True)
        serving.save_missed(missed)
        page.evaluate(WATCH, f" number {1 + missed} ")
        before = serving.cpu()
        # The page is online again without its developer tools, which would log each frame.
        tools.close()
        seconds, lines = wait_for_result(port)
        after = serving.cpu()
        browser.close()
    return {
        "server": name,
        "seconds": seconds,
        "delivered": lines,
        "expected": missed,
        "cpu": {process: after[process] - before[process] for process in after},
        "problems": {},
    }


def open_room(context, serving):
    """Open the page of the first room; return it when it shows the message that is there."""
    room, (_, reader) = serving.rooms[0]  # the other member writes the messages
    address = f"http://127.0.0.1:{serving.ports[0]}"
    static = serving.target.folder / "static"

    def send_static(route):
        """Answer a request for a static file, which the server leaves to others."""
        route.fulfill(path=static / route.request.url.rpartition("/")[2])

    context.add_cookies([{"name": "sessionid", "value": reader, "url": address}])
    page = context.new_page()
    page.route("**/static/**", send_static)
    page.goto(f"{address}/chat/room/{room}/")
    page.locator("#chat .feed", has_text="number 1").wait_for()
    return page


def wait_for_result(port):
    """Return the seconds and the number of lines in a page's RESULT; 0 lines if none comes."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        time.sleep(PAUSE)
        with urlopen(f"http://127.0.0.1:{port}/json/list") as answer:
            titles = [page["title"] for page in json.load(answer)]
        for found in filter(None, map(RESULT.fullmatch, titles)):
            return float(found[1]), int(found[2])
    return PATIENCE, 0


def tables(runs):
    rows = [
        [
            name,
            f"{missed:,}",
            *cells(mine, lambda run: run["seconds"], "{:.2f}"),
            middle(mine, lambda run: run["seconds"] / run["delivered"] * 1e6, "{:,.0f}"),
            middle(mine, lambda run: run["cpu"]["server"], "{:.2f}"),
            "" if mine else "incomplete",
        ]
        for (name, missed), mine in grouped(runs, "server", "expected").items()
    ]
    headings = ["server", "messages", "seconds", "least–most", "µs", "CPU", ""]
    yield Table("Until the page shows them", headings, rows)
