"""What the cells of the guide use: a step's servers, sockets, pages, and mistakes made on purpose.

Everything runs in copies of the steps, in a temporary folder, and ends with the kernel.
"""

import asyncio
import atexit
import base64
import difflib
import fcntl
import html
import json
import os
import random
import re
import shutil
import subprocess
import tempfile
import threading
import time
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import date
from functools import cache
from hashlib import sha256
from http.cookiejar import Cookie, CookieJar
from pathlib import Path
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import HTTPCookieProcessor, ProxyHandler, Request, build_opener

from IPython.display import HTML, Markdown, display
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus

from course.learn.browser import find_browser
from course.learn.ports import is_free, listens
from course.learn.processes import Processes
from course.learn.redis import find_server
from course.learn.serve import LAUNCH
from course.steps import STEPS, needs_redis
from course.venv import PYTHON, environ

PATIENCE = 60  # seconds that a program has to start, or an answer to come
LONGEST = 280  # seconds that a program has to end
SILENCE = 1  # seconds without a frame that count as none
PORTS = range(15_000, 32_000)  # no system uses them for outgoing connections
QUIET = ["--disable-background-networking", "--disable-component-update", "--disable-sync"]
RECORDED = Path(__file__).with_name("recorded.json")
IMAGES = Path(__file__).with_name("images")
SIGN_IN = """
import json
from django.contrib.auth.models import User
from django.test import Client

found = {}
for user in User.objects.all():
    client = Client()
    client.force_login(user)
    found[user.username] = [(c.key, c.value) for c in client.cookies.values()][0]
print(json.dumps(found))
"""
FOLDER = Path(tempfile.mkdtemp(prefix="guide-"))
PREPARED = Path(os.environ.get("GUIDE_PREPARED") or FOLDER / "prepared")
processes = Processes(grace=2, caught=())
processes.__enter__()


@atexit.register
def end():
    processes.__exit__()
    shutil.rmtree(FOLDER, ignore_errors=True)


def end_with(parent):
    """End this kernel, and so its servers, when the program that started it has ended."""
    while os.getppid() == parent:
        time.sleep(1)
    end()
    os._exit(1)


threading.Thread(target=end_with, args=[os.getppid()], daemon=True).start()


class Frame(dict):
    """A frame that came; as text it is what was on the wire."""

    def __init__(self, text):
        super().__init__(json.loads(text))
        self.text = text

    def __str__(self):
        return self.text


class Socket:
    """A WebSocket of a user, which sends and receives frames."""

    def __init__(self, connection):
        self.connection = connection

    async def send(self, frame):
        """Send a dict as JSON; text and bytes as they are."""
        raw = frame if isinstance(frame, str | bytes) else json.dumps(frame)
        await self.connection.send(raw)

    async def receive(self):
        """Return the next Frame; raise ConnectionClosed if the server closes the socket first."""
        async with asyncio.timeout(PATIENCE):
            return Frame(await self.connection.recv())

    async def receive_until(self, msg_type):
        """Return the frames up to the next one of that type, with it."""
        frames = [await self.receive()]
        while frames[-1].get("msg_type") != msg_type:
            frames.append(await self.receive())
        return frames

    async def receive_or_nothing(self, seconds=SILENCE):
        """Return the next Frame, or the word `nothing` if none comes within some seconds."""
        try:
            return await asyncio.wait_for(self.receive(), seconds)
        except TimeoutError:
            return "nothing"

    async def closed(self):
        """Wait until the server closes the socket; return the close code."""
        async with asyncio.timeout(PATIENCE):
            await self.connection.wait_closed()
        return self.connection.close_code


class Server:
    """A server process of a step."""

    def __init__(self, folder, port, log, redis):
        self.folder, self.port, self.redis = folder, port, redis
        self.url, self.log_file = f"http://127.0.0.1:{port}", log
        self.opened = {}  # user -> opener that is signed in as them

    @property
    def log(self):
        """What the server has printed."""
        return self.log_file.read_text(errors="replace")

    def log_lines(self, *texts):
        """Return the lines of the log that have one of those texts, without what comes before."""
        pattern = f"(?:{'|'.join(map(re.escape, texts))}).*"
        return "\n".join(re.findall(pattern, self.log))

    def errors(self):
        """Return the last line of each traceback in the log, each once."""
        found = re.findall(r"(?m)^\s*Traceback .*\n(?:[ \t].*\n|\n)*(\S.*)", self.log)
        return "\n".join(dict.fromkeys(found)) or "no error in the log"

    def request(self, path, user=None, **fields):
        """Ask for a page as that user, with POST if there are fields; return status and text."""
        opener = self.opener(user)
        if fields:
            fields["csrfmiddlewaretoken"] = self.cookie(user, "csrftoken")
        return ask(opener, self.url + path, fields)

    def opener(self, user):
        """Return an opener with the cookies of that user, None for nobody.

        In the copy of a step each user has a session already.
        """
        known = {folder.name: number for number, folder in STEPS.items()}
        if user and self.folder.name not in known:
            if user not in self.opened:
                self.opened[user] = self.sign_in(user)
        elif user not in self.opened:
            opener = build_opener(ProxyHandler({}), HTTPCookieProcessor(CookieJar()))
            if user:
                name, value = sessions(known[self.folder.name])[user]
                jar_of(opener).set_cookie(cookie_for(name, value))
            ask(opener, f"{self.url}/admin/login/")  # any page with a form sets the CSRF cookie
            self.opened[user] = opener
        return self.opened[user]

    def sign_in(self, user):
        """Return an opener that has just signed in on the login page."""
        opener = build_opener(ProxyHandler({}), HTTPCookieProcessor(CookieJar()))
        ask(opener, f"{self.url}/accounts/login/")
        (token,) = (c.value for c in jar_of(opener) if "csrftoken" in c.name)
        fields = {"username": user, "password": "channels", "csrfmiddlewaretoken": token}
        ask(opener, f"{self.url}/accounts/login/", fields)
        return opener

    def cookie(self, user, kind):
        """Return the value of a user's cookie: csrftoken or sessionid; the name has the step's."""
        (value,) = (c.value for c in jar_of(self.opener(user)) if kind in c.name)
        return value

    def cookies(self, user):
        """Return the Cookie header of that user."""
        return "; ".join(f"{c.name}={c.value}" for c in jar_of(self.opener(user)))

    @asynccontextmanager
    async def connect(self, path, user=None, **options):
        """Open a WebSocket as that user; yield the Socket.

        `options` are those of websockets; `origin` is the address of the server by default. Raises
        InvalidStatus when the handshake is refused.
        """
        headers = {"Cookie": await asyncio.to_thread(self.cookies, user)} if user else {}
        options = {"origin": self.url, "proxy": None, "additional_headers": headers} | options
        options = {"open_timeout": PATIENCE, "close_timeout": 2} | options
        async with connect(f"ws://127.0.0.1:{self.port}/{path}", **options) as connection:
            yield Socket(connection)

    def join(self, user, room=1, query="", **options):
        """Open a WebSocket to a room; see connect()."""
        return self.connect(f"ws/chat/room/{room}{query}", user, **options)

    async def attempt(self, user, path="ws/chat/room/1", send=None, **options):
        """Open a WebSocket, send a frame if there is one; return what the client gets, as text."""
        try:
            async with self.connect(path, user, **options) as socket:
                if send is None:
                    return "open"
                await socket.send(send)
                return str(await socket.receive_or_nothing())
        except InvalidStatus as error:
            return f"HTTP {error.response.status_code}"
        except ConnectionClosed as error:
            return f"closed, code {error.rcvd.code if error.rcvd else 1006}"
        except (InvalidHandshake, OSError, EOFError) as error:
            return f"no handshake: {type(error).__name__}"

    def manage(self, *arguments):
        """Run manage.py beside the server; return what it prints."""
        return run_manage(self.folder, *arguments, REDIS_URL=self.redis)

    def kill(self):
        """End the process with SIGKILL."""
        process = processes.running[self.port]
        process.kill()
        process.wait()

    async def start(self):
        """Start the process again after kill(), on the same port."""
        processes.end(self.port)
        launch(self)
        await until(lambda: listens(self.port))


def ask(opener, url, fields=None):
    data = urlencode(fields).encode() if fields else None
    try:
        with opener.open(Request(url, data), timeout=PATIENCE) as response:
            return response.status, response.read().decode()
    except HTTPError as error:
        return error.code, error.read().decode()


@cache
def sessions(number):
    """Return name and value of a session's cookie for each demo user of a step."""
    return json.loads((prepared(number).parent / "sessions.json").read_text())


def cookie_for(name, value):
    return Cookie(
        0, name, value, None, False, "127.0.0.1", True, False, "/", True, False, None, True,
        None, None, {},
    )  # fmt: skip


def jar_of(opener):
    handlers = (h for h in opener.handlers if isinstance(h, HTTPCookieProcessor))
    return next(handlers).cookiejar


@asynccontextmanager
async def step(number, servers=1, change=None, **variables):
    """Serve a copy of a step; yield its Server, or a list of them if there are several.

    `change` has an edit by path, see edited(), or None for a file to remove; `variables` are added
    to the environment. From step 5 on there is a Redis of its own.
    """
    folder = copy_of(number, change)
    free = [port for port in random.sample(PORTS, 100) if is_free(port)]
    redis = f"redis://127.0.0.1:{free.pop()}/0" if needs_redis(STEPS[number]) else ""
    variables = {"REDIS_URL": redis, "SERVER": ""} | variables
    running = [Server(folder, free.pop(), folder / "log", redis) for _ in range(servers)]
    names = []
    try:
        if redis:
            names.append(redis)
            await start_redis(redis)
        for n, server in enumerate(running, 1):
            server.variables = dict(variables)
            if servers > 1:
                server.variables["SERVER"] = f"{n} of {servers}"
            server.log_file = folder.parent / f"{server.port}.log"
            names.append(server.port)
            launch(server)
            process = processes.running[server.port]
            await until(lambda s=server, p=process: listens(s.port) or p.poll() is not None)
            if process.poll() is not None:
                raise RuntimeError(server.log)
        yield running if servers > 1 else running[0]
    finally:
        await asyncio.to_thread(processes.end, *names)


def launch(server):
    command = [PYTHON, LAUNCH, "runserver", "--noreload", f"127.0.0.1:{server.port}"]
    with server.log_file.open("ab") as log:
        variables = server.variables
        processes.start(server.port, command, server.folder, stdout=log, **variables)


async def start_redis(url):
    """Start the Redis at that URL, as empty as a new one, and wait until it listens."""
    if url in processes.running:
        processes.end(url)
    command = [redis_program(), "--bind", "127.0.0.1", "--port", str(port_of(url))]
    command += ["--dir", FOLDER, "--save", "", "--appendonly", "no"]
    processes.start(url, command, FOLDER, stdout=subprocess.DEVNULL)
    await until(lambda: listens(port_of(url)))


@cache
def redis_program():
    return find_server()[0]


def kill_redis(server):
    """End the Redis of a server with SIGKILL."""
    process = processes.running[server.redis]
    process.kill()
    process.wait()


def port_of(url):
    return int(re.search(r":(\d+)/", url)[1])


def copy_of(number, change=None):
    """Return the folder of a new copy of a step, with its database and the demo data."""
    folder = Path(tempfile.mkdtemp(dir=FOLDER), STEPS[number].name)
    shutil.copytree(prepared(number), folder)
    for path, edit in (change or {}).items():
        file = folder / path
        if edit is None:
            file.unlink()
            continue
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(edited(file, edit))
    return folder


def edited(file, edit):
    """Return the text of a file with an edit, (old text, new text), or with a list of them.

    An empty old text stands for the end of the file. Raises ValueError unless the old text is there
    once.
    """
    text = file.read_text() if file.exists() else ""
    for old, new in edit if isinstance(edit, list) else [edit]:
        if old and text.count(old) != 1:
            raise ValueError(f"{file.name} has {old!r} {text.count(old)} times")
        text = text.replace(old, new) if old else text + new
    return text


@cache
def prepared(number):
    """Return the folder of a copy of a step that has its database, demo data and sessions.

    Kernels share it, as long as no file of the step changes.
    """
    step, unwanted = STEPS[number], ["db.sqlite3*", "__pycache__", ".pytest_cache"]
    files = sorted(step.rglob("*.*"))
    state = [(str(file), file.stat().st_mtime_ns) for file in files if not file.match("*.sqlite3*")]
    state = [item for item in state if "cache" not in item[0]]
    folder = PREPARED / sha256(repr(state).encode()).hexdigest()[:16] / step.name
    folder.parent.mkdir(parents=True, exist_ok=True)
    with (folder.parent / "lock").open("w") as one_at_a_time:
        fcntl.flock(one_at_a_time, fcntl.LOCK_EX)
        done = folder.parent / "sessions.json"
        if not done.exists():
            shutil.rmtree(folder, ignore_errors=True)
            shutil.copytree(step, folder, ignore=shutil.ignore_patterns(*unwanted))
            said = run(folder, LAUNCH, "shell", "-v0", "--no-imports", "-c", SIGN_IN)
            done.write_text(json.dumps(json.loads(said.splitlines()[-1])))
    return folder


def run_manage(folder, *arguments, **variables):
    """Run manage.py in a folder; return what it prints."""
    return run(folder, "manage.py", *arguments, **variables)


def run(folder, *arguments, **variables):
    """Run Python with those arguments in a folder; return what it prints."""
    run = subprocess.run(
        [PYTHON, *arguments],
        cwd=folder,
        env=environ(**{"PY_COLORS": "0"} | variables),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=LONGEST,
    )
    return run.stdout.replace(f"{folder}/", "").strip()


async def until(condition):
    """Wait until the condition is true; raise TimeoutError if it never is."""
    async with asyncio.timeout(PATIENCE):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.02)


# Mistakes


async def mistake(number, change, says, act=None, **options):
    """Make a mistake in a copy of a step, let alice say hi, and show what happens.

    `says` is what the server's log has to say, None for no error at all. `act` is what to do
    instead, a coroutine function that gets the server and returns what to show. Raises
    AssertionError when the message doesn't come.
    """
    show_change(number, change)
    async with step(number, change=change, **options) as server:
        first = server[0] if isinstance(server, list) else server
        seen = await (act(server) if act else say_hi(server))
        if says:
            await wait_for_text(first, says)
        print(f"The client gets: {seen}" if not act else seen)
        if says:
            print("The log says:", lines_with(first.log, says), sep="\n")
        else:
            assert "Traceback" not in first.log
            print("The log has no error.")


async def say_hi(server):
    return await server.attempt("alice", send={"message": "hi"})


async def wait_for_text(server, text):
    try:
        await until(lambda: text in server.log)
    except TimeoutError:
        raise AssertionError(f"{text!r} is not in the log:\n{server.log}") from None


def broken(number, change, says, *arguments, **variables):
    """Make a mistake in a copy of a step, run manage.py or Python there, and show what it says.

    Without `arguments` that is `manage.py check`. Raises AssertionError when it says something
    else.
    """
    show_change(number, change)
    folder = copy_of(number, change)
    arguments = arguments or ("manage.py", "check")
    said = run(folder, *arguments, **variables)
    assert says in said, said
    print(f"$ python {' '.join(arguments)}", lines_with(said, says), sep="\n")


def lines_with(text, wanted):
    """Return the last line with a text, or lines if it has several; without the logger's prefix."""
    if "\n" in wanted:
        return wanted
    return [line for line in text.splitlines() if wanted in line][-1].strip()


def show_change(number, change):
    """Show what is changed in a step, as a diff."""
    for path, edit in (change or {}).items():
        if edit is None:
            display(Markdown(f"`{path}`: the file is missing."))
            continue
        file = STEPS[number] / path
        text = file.read_text() if file.exists() else ""
        lines = difflib.unified_diff(text.splitlines(), edited(file, edit).splitlines(), n=1)
        parts = "\n".join(list(lines)[3:])  # without the headers
        body = re.sub(r"(?m)^@@.*", "…", parts)
        display(Markdown(f"`{path}`:\n\n```diff\n{body}\n```"))


# Pages


class Page:
    """The room's page in a real browser."""

    def __init__(self, page):
        self.page = page

    async def connected(self):
        """Wait until the chat says that it is connected, if the page has one."""
        if await self.page.locator("#chat").count():
            await self.page.locator("#chat [role=status].connected").wait_for()

    async def say(self, text):
        """Send a message as soon as the page is connected."""
        await self.connected()
        await self.page.get_by_label("New message").fill(text)
        await self.page.get_by_role("button", name="Send").click()

    async def post(self, text):
        """Post an alert (steps 1 to 5)."""
        await self.page.get_by_label("New alert").fill(text)
        await self.page.get_by_role("button", name="Post").click()

    async def sees(self, text):
        """Wait until a line of the page has that text."""
        await self.page.get_by_role("listitem").filter(has_text=text).first.wait_for()

    async def reads(self, text):
        """Wait until the page has that text anywhere."""
        await self.page.get_by_text(text).first.wait_for()


@asynccontextmanager
async def browser():
    """Yield a function that opens a page of a Server for a user, in a window of their own."""
    from playwright.async_api import async_playwright

    async with async_playwright() as playwright:
        chromium = await playwright.chromium.launch(executable_path=find_browser(), args=QUIET)

        async def open_page(server, user=None, path="/chat/room/1/", size=(560, 900)):
            viewport = {"width": size[0], "height": size[1]}
            context = await chromium.new_context(base_url=server.url, viewport=viewport)
            context.set_default_timeout(PATIENCE * 1000)
            if user:
                opener = await asyncio.to_thread(server.opener, user)
                await context.add_cookies(
                    [{"name": c.name, "value": c.value, "url": server.url} for c in jar_of(opener)]
                )
            page = Page(await context.new_page())
            await page.page.goto(path)
            return page

        yield open_page
        await chromium.close()


def has_browser():
    """Return whether there is a browser, and what drives it."""
    try:
        import playwright  # noqa: F401
    except ImportError:
        return False
    return bool(find_browser())


async def pictures(server, act, captions, keep=False, **options):
    """Show pictures of room pages, after `act` has used them; a note where there is no browser.

    `captions` has a text for each user, alice or bob; `act` gets the pages in the same order. With
    several servers, each user has one of their own. With `keep`, RECORD=1 in the environment writes
    them into docs/images, for the README.
    """
    if not has_browser():
        display(Markdown("*No picture: this guide was built without a browser.*"))
        return
    servers = server if isinstance(server, list) else [server] * len(captions)
    async with browser() as open_page:
        pages = [
            await open_page(one, user, **options)
            for one, user in zip(servers, captions, strict=True)
        ]
        for page in pages:
            await page.connected()
        await act(*pages)
        figures = []
        for page, (user, caption) in zip(pages, captions.items(), strict=True):
            await page.page.evaluate("document.activeElement?.blur()")
            picture = await page.page.screenshot()
            if keep and os.environ.get("RECORD") == "1":
                IMAGES.joinpath(f"{user}.png").write_bytes(picture)
            data = base64.b64encode(picture).decode()
            text = html.escape(caption)
            picture = f'<img src="data:image/png;base64,{data}" alt="{text}">'
            figures.append(f"<figure>{picture}<figcaption>{text}</figcaption></figure>")
    display(HTML(f'<div class="pictures">{"".join(figures)}</div>'))


async def recorded(name, run):
    """Return what `run()` returns or, where that is None, what was recorded.

    With RECORD=1 in the environment it is recorded. The second value returned is the day of the
    recording, None for a new result.
    """
    known = json.loads(RECORDED.read_text()) if RECORDED.exists() else {}
    found = await run()
    if found is None:
        return known[name]["result"], known[name]["day"]
    if os.environ.get("RECORD") == "1":
        known = json.loads(RECORDED.read_text()) if RECORDED.exists() else {}
        known[name] = {"day": str(date.today()), "result": found}
        RECORDED.write_text(json.dumps(known, indent=1, sort_keys=True) + "\n")
    return found, None


__all__ = [
    "HTML",
    "AsyncExitStack",
    "Markdown",
    "asyncio",
    "broken",
    "browser",
    "copy_of",
    "display",
    "has_browser",
    "json",
    "kill_redis",
    "mistake",
    "pictures",
    "recorded",
    "run",
    "run_manage",
    "start_redis",
    "step",
    "until",
]
