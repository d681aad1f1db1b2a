"""What five ASGI servers do with a socket: an application for them to serve, and clients that look.

The servers import this module for its `application`, so `live` is imported only where it is used.
"""

import asyncio
import os
import random
import re
import shutil
import signal
import sys
import tempfile
import time
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from importlib.metadata import version
from pathlib import Path

from channels.generic.websocket import AsyncWebsocketConsumer
from channels.routing import ProtocolTypeRouter
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus
from websockets.frames import Opcode
from websockets.protocol import State

from course.learn.ports import is_free, listens
from course.steps import ROOT
from course.venv import PYTHON

HERE = Path(__file__).parent
OWN = "asgi_servers:application"
STEP = "mychannels.routing:application"
ENVIRONMENT = {
    "PYTHONPATH": os.pathsep.join(map(str, [HERE, ROOT])),
    "DJANGO_SETTINGS_MODULE": "django.conf.global_settings",  # the application needs no others
}
COMMANDS = {
    "Daphne": "daphne -b 127.0.0.1 -p {port} {application}",
    "uvicorn": "uvicorn --host 127.0.0.1 --port {port} {application}",
    "gunicorn": "gunicorn -k asgi -b 127.0.0.1:{port} {application}",
    "hypercorn": "hypercorn -b 127.0.0.1:{port} {application}",
    "granian": "granian --interface asgi --host 127.0.0.1 --port {port} {application}",
}
# These servers write an access log only when they are asked to. gunicorn's control socket would
# be a file in the home folder.
LOGGED = {
    "gunicorn": ["--access-logfile", "-", "--no-control-socket"],
    "hypercorn": ["--access-logfile", "-"],
    "granian": ["--access-log"],
}
PINGED = 24  # seconds without a ping that count as none
WAITED = 7  # seconds without an answer to the handshake that count as waiting
STOPPED = 9  # seconds after SIGTERM for which a socket is watched
IDLE = 75  # seconds for which an idle socket behind nginx is watched
ENDED = 45  # seconds after SIGTERM for which a socket is watched in a recording
STOPS = 4  # servers of each kind that are stopped in a recording
PATIENCE = 30  # seconds for everything else
MIB = 2**20
NO_FRAME = 1006  # what a browser calls the end of TCP without a close frame
LARGEST = 64 * MIB  # of the messages that are tried
NGINX = shutil.which("nginx", path=os.environ.get("PATH", "") + ":/usr/sbin")  # Debian's place
NGINX_CONF = """
daemon off;
pid nginx.pid;
error_log error.log;
events {{}}
http {{
    access_log access.log;
    client_body_temp_path body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
    {servers}
}}
"""
UPGRADE = "proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade;"
CONNECTION = 'proxy_set_header Connection "upgrade";'


class Probe(AsyncWebsocketConsumer):
    """Do what a client asks for, and log what no client can see."""

    async def connect(self):
        if self.scope["path"] == "/raises":
            raise RuntimeError("connect raises")
        if self.scope["path"] != "/silent":
            await self.accept(headers=[(b"x-answer", b"42")])

    async def receive(self, text_data=None, bytes_data=None):
        if bytes_data:
            await self.send(str(len(bytes_data)))
        elif text_data == "close":
            await self.close(code=4001, reason="enough")
        elif text_data == "raise":
            raise RuntimeError("receive raises")
        elif text_data == "go on":
            self.sending = asyncio.create_task(self.go_on())

    async def disconnect(self, code):
        log(f"disconnect {self.scope['path']}")

    async def go_on(self):
        """Send for two seconds, whether the client is there or not; log how that ends."""
        try:
            for _ in range(20):
                await self.send("are you there?")
                await asyncio.sleep(0.1)
        except Exception:
            log("going on: an exception")
        else:
            log("going on: nothing")


def log(text):
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


application = ProtocolTypeRouter({"websocket": Probe.as_asgi()})


@asynccontextmanager
async def serve(*names, application=OWN, cwd=HERE, files=None, **variables):
    """Start the servers of those names for an application; yield a list of live.Server.

    `files` is the number of files that each may open; `variables` are added to the environment.
    Raises RuntimeError with its log if a server stops.
    """
    import live

    servers = []
    try:
        for name, port in zip(names, free_ports(len(names)), strict=True):
            redis = variables.get("REDIS_URL", "")
            server = live.Server(cwd, port, live.FOLDER / f"{port}.log", redis)
            words = COMMANDS[name].format(port=port, application=application).split()
            command = [PYTHON, "-m", *words, *LOGGED.get(name, [])]
            if files:
                command = ["sh", "-c", 'ulimit -n "$0"; exec "$@"', str(files), *command]
            with server.log_file.open("wb") as output:
                server.process = live.processes.start(
                    port, command, cwd, stdout=output, **(variables or ENVIRONMENT)
                )
            servers.append(server)
        for server in servers:
            await until(lambda s=server: listens(s.port) or s.process.poll() is not None)
            if server.process.poll() is not None:
                raise RuntimeError(server.log)
        yield servers
    finally:
        await asyncio.to_thread(live.processes.end, *(server.port for server in servers))


@asynccontextmanager
async def nginx(*routes):
    """Start one nginx; yield a live.Server for each route, by which clients reach its server.

    A route is a server and the lines beside `proxy_pass` in its location.
    """
    import live

    folder = Path(tempfile.mkdtemp(dir=live.FOLDER))
    servers, blocks = [], []
    for (server, lines), port in zip(routes, free_ports(len(routes)), strict=True):
        servers.append(live.Server(server.folder, port, folder / "error.log", server.redis))
        location = f"location / {{ proxy_pass http://127.0.0.1:{server.port}; {lines} }}"
        blocks.append(f"server {{ listen 127.0.0.1:{port}; {location} }}")
    (folder / "nginx.conf").write_text(NGINX_CONF.format(servers="\n    ".join(blocks)))
    command = [NGINX, "-p", folder, "-c", "nginx.conf", "-e", "error.log"]
    with (folder / "output").open("wb") as output:
        live.processes.start(folder, command, folder, stdout=output)
    try:
        await until(lambda: all(listens(server.port) for server in servers))
        yield servers
    finally:
        await asyncio.to_thread(live.processes.end, folder)


def free_ports(count):
    """Return the numbers of ports that are free."""
    import live

    return [port for port in random.sample(live.PORTS, 200) if is_free(port)][:count]


async def until(condition, seconds=PATIENCE):
    """Wait until the condition is true; raise TimeoutError if it isn't within some seconds."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.02)


# Clients


class Client(ClientConnection):
    """A connection that counts the pings which it receives."""

    pings = 0

    def process_event(self, event):
        if getattr(event, "opcode", None) is Opcode.PING:
            self.pings += 1
        super().process_event(event)

    @property
    def ended(self):
        """Whether a close frame has come, or TCP has ended without one."""
        return bool(self.protocol.close_rcvd) or self.state is State.CLOSED

    async def ending(self, seconds=PATIENCE):
        """Wait until the server ends the socket; return how: a close code, or words."""
        with suppress(TimeoutError):
            await until(lambda: self.ended, seconds)
        if not self.ended:
            return f"open after {seconds} s"
        received = self.protocol.close_rcvd
        return str(int(received.code) if received else NO_FRAME)


@asynccontextmanager
async def connect(server, path="", **options):
    """Open a socket to a server that serves the Probe; yield the Client. It sends no pings."""
    options = {"create_connection": Client, "ping_interval": None} | options
    async with server.connect(path, **options) as socket:
        yield socket.connection


# Each of these takes a live.Server that serves the Probe, and returns what it does as text.


async def find_pings(server):
    async with connect(server) as client:
        begin = time.monotonic()
        with suppress(TimeoutError):
            await until(lambda: client.pings, PINGED)
        return since(begin) if client.pings else f"none in {PINGED} s"


async def find_close_reason(server):
    async with connect(server) as client:
        await client.send("close")
        await client.ending()
        received = client.protocol.close_rcvd
        return "yes" if received and received.reason == "enough" else "no"


async def find_accept_headers(server):
    async with connect(server) as client:
        return "yes" if client.response.headers.get("x-answer") == "42" else "no"


async def find_exception(server):
    async with connect(server) as client:
        await client.send("raise")
        return await client.ending()


async def find_exception_in_connect(server):
    return await server.attempt(None, "raises")


async def find_no_accept(server):
    begin = time.monotonic()
    try:
        async with connect(server, "silent", open_timeout=WAITED):
            return "open"
    except TimeoutError:
        return f"waits over {WAITED} s"
    except InvalidStatus as error:
        return f"HTTP {error.response.status_code} {since(begin)}"
    except (OSError, EOFError, InvalidHandshake):
        return f"{NO_FRAME} {since(begin)}"


async def find_largest_message(server):
    passed, size = 0, MIB
    while await passes(server, size) and size < LARGEST:
        passed, size = size, 2 * size
    if passed == LARGEST // 2 and await passes(server, size):
        return f"{size // MIB} MiB or more"
    # A close frame may be lost when the server ends TCP with unread data.
    ends = [await send_bytes(server, size) for _ in range(3)]
    end = next((end for end in ends if end != str(NO_FRAME)), ends[0])
    if await passes(server, passed + 1):
        return f"between {passed // MIB} and {size // MIB} MiB, {end}"
    return f"{passed // MIB} MiB, {end}"


async def passes(server, size):
    return await send_bytes(server, size) == "passes"


async def send_bytes(server, size):
    """Send a message of that size; return "passes" if an answer comes, else how the socket ends."""

    async def exchange():
        with suppress(ConnectionClosed):
            await client.send(bytes(size))
            return await client.recv()

    async with connect(server, compression=None) as client:
        answer = asyncio.create_task(exchange())
        await until(lambda: answer.done() or client.ended)
        if answer.done() and answer.result() == str(size):
            return "passes"
        answer.cancel()
        return await client.ending()


async def find_going_on(server):
    async with connect(server) as client:
        await client.send("go on")
        await client.recv()
    await until(lambda: "going on: " in server.log)
    return re.search("going on: (.*)", server.log)[1]


async def find_logged_query(server):
    async with connect(server, "logged?token=secret"):
        pass
    await asyncio.sleep(1)
    lines = [line for line in server.log.splitlines() if "/logged" in line]
    if all("disconnect /" in line for line in lines):
        return "no line at all"
    return "yes" if any("secret" in line for line in lines) else "no"


async def find_stop(server, seconds=STOPPED):
    """End the server with SIGTERM while two sockets are open; return how and when they end."""
    async with AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(connect(server, "stopped")) for _ in range(2)]
        begin = time.monotonic()
        server.process.send_signal(signal.SIGTERM)
        with suppress(TimeoutError):
            await until(lambda: all(client.ended for client in clients), seconds)
        if not all(client.ended for client in clients):
            return f"open after {seconds} s"
        after = since(begin)
        with suppress(TimeoutError):
            await until(lambda: server.log.count("disconnect /stopped") == len(clients), 1)
        return f"{' or '.join(sorted({await client.ending() for client in clients}))} {after}"


def since(begin):
    seconds = time.monotonic() - begin
    return "at once" if seconds < 0.5 else f"after {seconds:.0f} s"


FINDERS = {
    "headers of `accept` arrive": find_accept_headers,
    "reason of `close` arrives": find_close_reason,
    "exception in `receive`": find_exception,
    "exception in `connect`": find_exception_in_connect,
    "`connect` without `accept`": find_no_accept,
    "largest message; a larger one": find_largest_message,
    "`send` after the client left": find_going_on,
    "query string in its access log": find_logged_query,
}


async def compare():
    """Return what each server does, as dicts by the server's name, in a dict by the question."""
    async with serve(*COMMANDS) as servers, serve(*COMMANDS) as stopped:
        columns = await asyncio.gather(*map(ask, servers, stopped))
    return {
        question: dict(zip(COMMANDS, (column[question] for column in columns), strict=True))
        for question in columns[0]
    }


async def ask(server, stopped):
    """Return a server's answers by the question; `stopped` is another one of its kind."""

    async def ask_others():
        return {question: await find(server) for question, find in FINDERS.items()}

    pings, stop, others = await asyncio.gather(find_pings(server), find_stop(stopped), ask_others())
    return {"first ping to an idle socket": pings, **others, "SIGTERM: sockets end": stop}


async def watch():
    """Return, as compare() does, what takes longer; None unless RECORD=1 is in the environment."""
    if os.environ.get("RECORD") != "1":
        return None
    async with (
        serve(*COMMANDS) as servers,
        nginx(*((server, UPGRADE + CONNECTION) for server in servers)) as behind,
    ):
        *idle, stops = await asyncio.gather(*map(find_idle, behind), stop_often())
    ends = [" or ".join(sorted({end for end, _ in column})) for column in stops]
    runs = [f"{sum(runs for _, runs in column)} of {2 * STOPS}" for column in stops]
    row = f"SIGTERM, {STOPS} times: "
    answers = {
        "idle socket behind nginx": idle,
        f"{row}sockets end": ends,
        f"{row}`disconnect` runs": runs,
    }
    return {
        question: dict(zip(COMMANDS, found, strict=True)) for question, found in answers.items()
    }


async def stop_often():
    """Return for each server, of some runs, how its sockets end and how many disconnect() calls."""
    rounds = []
    for _ in range(STOPS):
        async with serve(*COMMANDS) as servers:
            ends = await asyncio.gather(*(find_stop(server, ENDED) for server in servers))
            runs = [server.log.count("disconnect /stopped") for server in servers]
        rounds.append(zip(ends, runs, strict=True))
    return list(zip(*rounds, strict=True))


async def find_idle(server):
    async with connect(server) as client:
        begin = time.monotonic()
        end = await client.ending(IDLE)
        return f"{end} {since(begin)}" if client.ended else end


def as_table(rows, recorded=None, day=None):
    """Return rows, and then recorded ones with their day, as a table in Markdown."""
    names = [f"{name} {version(name)}" for name in COMMANDS]
    lines = [f"| | {' | '.join(names)} |", "|---" * (len(names) + 1) + "|"]
    for found, note in [(rows, ""), (recorded or {}, f" (recorded on {day})" if day else "")]:
        for question, answers in found.items():
            lines.append(f"| {question}{note} | {' | '.join(answers[n] for n in COMMANDS)} |")
    return "\n".join(lines)


async def fill(server, most=100):
    """Open sockets until one fails; return their number, and how the next one fails."""
    async with AsyncExitStack() as stack:
        for number in range(most):
            try:
                await stack.enter_async_context(connect(server, open_timeout=3))
            except TimeoutError:
                return number, "no answer within 3 s"
            except (OSError, EOFError, InvalidHandshake):
                return number, "TCP ends"
        return most, "not tried"
