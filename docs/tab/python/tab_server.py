"""The server in a browser tab: what Daphne is on a machine, for requests that JavaScript makes.

Each of two browsers, alice's and bob's, has its own cookies. Its pages are below ROOT/alice/ and
ROOT/bob/, the static files below ROOT/static/, where ROOT is a path on the site of the guide.
"""

import asyncio
import os
import sys
import time
import traceback
from html import escape
from http.cookies import SimpleCookie
from urllib.parse import unquote

import no_threads

no_threads.install()

USERS = ["alice", "bob"]
CLIENT = ["127.0.0.1", 50000]
HIDDEN = {b"set-cookie", b"x-frame-options", b"cross-origin-opener-policy"}  # of a tab's pages
OWN = {"host", "cookie", "origin", "referer", "content-length"}  # headers that we write
PERIOD = 10  # seconds between two lines of the log about polls
HANDSHAKE_TIMEOUT = 5  # seconds, as in Daphne


class Server:
    """A server process: a step's application, with its database in the step's folder.

    `folder` is the path of the step, `root` the path of ROOT, `script` that of pane.js. `number` is
    that of the server, of `count`; with one server the pages don't number it.
    """

    def __init__(self, folder, root, script="", number=1, count=1):
        self.root, self.script = root, script
        self.address = ["127.0.0.1", 8000 + number - 1]
        self.cookies = {}  # {user: {name: value}}
        self.polls, self.polls_since = 0, time.monotonic()
        sys.path.insert(0, folder)
        os.chdir(folder)
        os.environ["TAB_STATIC_URL"] = f"{root}/static/"
        os.environ["SERVER"] = f"{number} of {count}" if count > 1 else ""
        os.environ["DJANGO_SETTINGS_MODULE"] = "tab_settings"

    def start(self):
        """Bring the database up to date and load the application; return whether that worked.

        What goes wrong is printed, as in a terminal.
        """
        try:
            with no_threads.no_loop():
                self.load()
        except BaseException:  # SystemExit, too: the process would end
            traceback.print_exc()
            return False
        print(f"Listening on {self.address[0]}:{self.address[1]}")
        return True

    def load(self):
        import django

        django.setup()
        from django.conf import settings
        from django.contrib.staticfiles.handlers import ASGIStaticFilesHandler
        from django.core.asgi import get_asgi_application
        from django.core.management import call_command

        call_command("check")
        call_command("migrate", verbosity=0)
        call_command("demo", verbosity=0)
        if hasattr(settings, "ASGI_APPLICATION"):
            from channels.routing import get_default_application

            self.application = get_default_application()
        else:  # step 1
            self.application = get_asgi_application()
        self.with_static = ASGIStaticFilesHandler(self.application)

    def sign_in(self):
        """Start a session for each user."""
        with no_threads.no_loop():
            from django.conf import settings
            from django.contrib.auth import get_user_model, login
            from django.contrib.sessions.backends.db import SessionStore
            from django.http import HttpRequest

            for name in USERS:
                request = HttpRequest()
                request.session = SessionStore()
                user = get_user_model().objects.get(username=name)
                login(request, user, settings.AUTHENTICATION_BACKENDS[0])
                request.session.save()
                self.cookies[name] = {settings.SESSION_COOKIE_NAME: request.session.session_key}

    def visible_cookies(self, user):
        """Return the cookies of a user that a script may read, as `document.cookie` has them."""
        from django.conf import settings

        hidden = settings.SESSION_COOKIE_NAME if settings.SESSION_COOKIE_HTTPONLY else None
        cookies = self.cookies.get(user, {})
        return "; ".join(f"{name}={value}" for name, value in cookies.items() if name != hidden)

    def headers(self, user, more=()):
        """Return the headers that every request of a user has, with more of them."""
        host = "{}:{}".format(*self.address)
        headers = {"host": host, "origin": f"http://{host}", **dict(more)}
        if cookies := self.cookies.get(user):
            headers["cookie"] = "; ".join(f"{name}={value}" for name, value in cookies.items())
        return [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]

    def scope(self, kind, user, path, query, headers):
        return {
            "type": kind,
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "path": unquote(path),
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "headers": headers,
            "client": CLIENT,
            "server": self.address,
        }

    async def http(self, user, method, path, query, headers, body):
        """Answer a request; return status, [[name, value], ...] and the body as bytes.

        `path` is below ROOT, `headers` are [[name, value], ...].
        """
        began = time.monotonic()
        body = bytes(body)
        more = [[name.lower(), value] for name, value in headers if name.lower() not in OWN]
        more.append(["content-length", str(len(body))])
        scope = self.scope("http", user, path, query, self.headers(user, more))
        is_static = path.startswith(f"{self.root}/static/")
        prefix = "" if is_static else f"{self.root}/{user}"
        scope |= {"method": method, "scheme": "http", "root_path": prefix}
        exchange = Exchange(body)
        try:
            await self.with_static(scope, exchange.receive, exchange.send)
        except Exception as error:
            log_error(error)
            exchange.fail()
        self.keep_cookies(user, exchange.headers)
        if dict(exchange.headers).get(b"Content-Type", b"").startswith(b"text/html"):
            exchange.body = exchange.body.replace(b"<head>", self.head(user), 1)
            exchange.headers = [h for h in exchange.headers if h[0] != b"Content-Length"]
        took = time.monotonic() - began
        self.log_request(method, path.removeprefix(prefix), query, exchange.status, took)
        return [exchange.status, visible(exchange.headers, prefix), exchange.body]

    def head(self, user):
        """Return the beginning of a page's head, with the script that gives it a WebSocket."""
        data = f'data-user="{user}" data-cookies="{escape(self.visible_cookies(user))}"'
        return f'<head><script src="{self.script}" {data}></script>'.encode()

    def keep_cookies(self, user, headers):
        jar = self.cookies.setdefault(user, {})
        for name, value in headers:
            if name.lower() == b"set-cookie":
                for cookie, morsel in SimpleCookie(value.decode("latin-1")).items():
                    if str(morsel["max-age"]) == "0":
                        jar.pop(cookie, None)
                    else:
                        jar[cookie] = morsel.coded_value

    def log_request(self, method, path, query, status, took):
        """Print a line as Daphne does, without static files, and one for several polls."""
        if path.startswith(f"{self.root}/static/") and status < 400:
            return
        if path == "/alert/latest/" and status == 200:
            self.polls += 1
            since = time.monotonic() - self.polls_since
            if since > PERIOD:
                print(f"{self.polls} polls in the last {since:.0f} seconds, all answered with 200")
                self.polls, self.polls_since = 0, time.monotonic()
            return
        query = f"?{query}" if query else ""
        print(f"HTTP {method} {path}{query} {status} [{took:.2f}, {CLIENT[0]}:{CLIENT[1]}]")

    def websocket(self, user, path, query, tell):
        """Open a WebSocket for a user; return the Socket.

        `tell` is called with what happens: ("open", None), ("message", text or bytes), and once
        ("close", code).
        """
        scope = self.scope("websocket", user, path, query, self.headers(user))
        scope |= {"scheme": "ws", "root_path": "", "subprotocols": []}
        return Socket(self.application, scope, tell)


class Exchange:
    """A request and its response."""

    def __init__(self, body):
        self.request, self.body = [body], b""
        self.status, self.headers = 500, []

    async def receive(self):
        if self.request:
            return {"type": "http.request", "body": self.request.pop(), "more_body": False}
        await asyncio.Event().wait()  # the client stays
        return None

    async def send(self, event):
        if event["type"] == "http.response.start":
            self.status, self.headers = event["status"], list(event.get("headers", []))
        else:
            self.body += event.get("body", b"")

    def fail(self):
        self.status, self.body = 500, b"Internal Server Error"
        self.headers = [(b"content-type", b"text/plain")]


def visible(headers, prefix):
    """Return the headers of a response that a page in the tab gets.

    A redirect to an address that knows no prefix, such as LOGIN_URL, gets it here.
    """
    shown = []
    for name, value in headers:
        if name.lower() == b"location" and value.startswith(b"/"):
            value = prefix.encode() + value.removeprefix(prefix.encode())
        if name.lower() not in HIDDEN:
            shown.append([name.decode("latin-1"), value.decode("latin-1")])
    return shown


class Socket:
    """A WebSocket of a user, as the application has it."""

    def __init__(self, application, scope, tell):
        self.path, self.tell = scope["path"], tell
        self.state = "connecting"
        self.events = asyncio.Queue()
        self.events.put_nowait({"type": "websocket.connect"})
        self.log("HANDSHAKING")
        self.task = asyncio.create_task(self.run(application, scope))
        asyncio.get_running_loop().call_later(HANDSHAKE_TIMEOUT, self.give_up)

    def give_up(self):
        """Refuse a handshake that the application hasn't answered."""
        if self.state == "connecting":
            self.log("DISCONNECT")
            self.end(1006)

    def log(self, what):
        print(f"WebSocket {what} {self.path} [{CLIENT[0]}:{CLIENT[1]}]")

    async def run(self, application, scope):
        try:
            await application(scope, self.events.get, self.send)
        except Exception as error:
            log_error(error)
            self.end(1006 if self.state == "connecting" else 1011)

    async def send(self, event):
        if self.state == "closed":
            return
        if event["type"] == "websocket.accept":
            self.state = "open"
            self.log("CONNECT")
            self.tell("open", None)
        elif event["type"] == "websocket.send":
            text = event.get("text")
            self.tell("message", event["bytes"] if text is None else text)
        elif self.state == "connecting":  # a refused handshake carries no code
            self.log("REJECT")
            self.end(1006)
        else:
            self.end(event.get("code") or 1000)

    def end(self, code):
        """Close the socket from our side."""
        self.leave(code)
        self.tell("close", code)

    def receive(self, text):
        """Give the application what the client has sent."""
        if self.state == "open":
            kind = "text" if isinstance(text, str) else "bytes"
            self.events.put_nowait({"type": "websocket.receive", kind: text})

    def leave(self, code):
        """The client has closed the socket, or left the page."""
        if self.state != "closed":
            if self.state == "open":
                self.log("DISCONNECT")
            self.state = "closed"
            self.events.put_nowait({"type": "websocket.disconnect", "code": code})


def log_error(error):
    """Print an error of the application, as Daphne does."""
    print(f"Exception inside application: {error}")
    traceback.print_exception(error)
