"""Everything that runs beside the clients: a database, a Redis and servers, and what befalls them.

Whatever is started here is ended with its context manager, and nothing else is ever signalled.
"""

import os
import re
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
from contextlib import ExitStack, closing, contextmanager
from http.cookiejar import CookieJar
from json import loads
from pathlib import Path
from urllib.parse import urlencode
from urllib.request import HTTPCookieProcessor, ProxyHandler, Request, build_opener

import psutil
from redis import Redis

from tests.postgresql_servers import run_postgresql
from tests.programs import Program, fixed_port
from tests.redis_servers import find_redis

STEP = Path(__file__).resolve().parents[2]
ROOM = 1  # General, whose members are these
USERS = ["alice", "bob"]
PASSWORD = "channels"
LAST_LINE = re.compile(r"^Traceback .*\n(?:\s.*\n)*(\S.*)", re.MULTILINE)
AWAY = 3  # seconds that Redis or the database is away: longer than the server waits for Redis
APPLICATIONS = {
    "step6": "mychannels.asgi:application",
    "naive": "tests.faults.naive:application",
}


class Server(Program):
    """A program that listens on a port of its own, for {port} in its command."""

    def __init__(self, *command, log, environ=()):
        port = fixed_port()
        command = [word.format(port=port) for word in command]
        super().__init__(command, port, log, cwd=STEP, env=os.environ | dict(environ))

    def connections(self):
        """Return how many TCP connections others have to it."""
        connections = psutil.Process(self.process.pid).net_connections("tcp")
        return sum(
            c.laddr.port == self.port and c.status != psutil.CONN_LISTEN for c in connections
        )

    @contextmanager
    def running(self):
        """Launch it now, kill it in the end."""
        self.launch()
        try:
            yield self
        finally:
            self.kill()


class Sqlite:
    """A database in a file."""

    def __init__(self, folder):
        self.path = folder / "db.sqlite3"
        self.url = f"sqlite:///{self.path}"

    @contextmanager
    def away(self):
        """Hold the write lock."""
        with closing(sqlite3.connect(self.path, timeout=60, isolation_level=None)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            yield


class PostgreSQL:
    """A database server."""

    def __init__(self, server):
        self.server, self.url = server, server.url

    @contextmanager
    def away(self):
        """Crash it, and start it again."""
        self.server.crash()
        yield
        self.server.start()


class World:
    """What the clients talk to: `servers` (two, and a third that is never killed), Redis, database.

    The faults are methods; they block, and return when what they did is undone.
    """

    def __init__(self, database, redis, servers):
        self.database, self.redis, self.servers = database, redis, servers
        self.addresses = [f"127.0.0.1:{server.port}" for server in servers]
        self.over = threading.Event()  # nobody waits any longer

    def prepare(self):
        """Create the tables and the demo users, sign them in; return their session keys."""
        for command in ["migrate", "demo"]:
            run_manage(command, self.servers[0].options["env"])
        for program in [self.redis, *self.servers]:
            program.wait()
        return {name: sign_in(self.addresses[0], name) for name in USERS}

    def kill_server(self, number):
        self.servers[number].kill()
        self.servers[number].start()

    def restart_redis(self):
        self.redis.kill()
        self.over.wait(1)
        self.redis.start()

    def flush_redis(self):
        with self.connect_redis() as redis:
            redis.flushall()

    def pause_redis(self):
        self.redis.process.send_signal(signal.SIGSTOP)
        self.over.wait(AWAY)
        self.redis.process.send_signal(signal.SIGCONT)

    def take_database_away(self):
        with self.database.away():
            self.over.wait(AWAY)

    def connect_redis(self):
        return Redis(port=self.redis.port, socket_timeout=30)

    def group_members(self):
        """Return how many channels Redis has in the groups."""
        with self.connect_redis() as redis:
            return sum(redis.zcard(key) for key in redis.keys("*group*"))

    def tracebacks(self):
        """Return the last lines of the tracebacks that the servers have logged."""
        logs = [server.log.read_text() for server in self.servers]
        return [line for log in logs for line in LAST_LINE.findall(log)]


@contextmanager
def open_world(database, consumer, servers=2, environ=()):
    """Start a World; give it with its processes still coming up.

    `database` is "sqlite" or "postgresql", `consumer` a key of APPLICATIONS, `environ` what the
    environment of the servers has besides ours.
    """
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="faults-")))
        if database == "sqlite":
            database = Sqlite(folder)
        else:
            database = PostgreSQL(stack.enter_context(run_postgresql()))
        command = [find_redis(), "--bind", "127.0.0.1", "--port", "{port}", "--dir", str(folder)]
        command += ["--save", "", "--appendonly", "no"]
        redis = stack.enter_context(Server(*command, log=folder / "redis").running())
        environ = dict(environ) | {
            "DATABASE_URL": database.url,
            "DJANGO_SETTINGS_MODULE": "tests.faults.settings",
            "REDIS_URL": f"redis://127.0.0.1:{redis.port}/0",
            # As in production: with DEBUG, Django keeps its last queries in memory.
            "DJANGO_DEBUG": "false",
            "DJANGO_SECRET_KEY": "of a world that ends in a moment",
            "DJANGO_ALLOWED_HOSTS": "127.0.0.1",
            # The limits have tests of their own.
            "FRAMES_AT_ONCE": "1000000",
            "FRAMES_PER_SECOND": "1000000",
            "SOCKETS_PER_USER": "1000",
        }
        command = [sys.executable, "-m", "daphne", "-b", "127.0.0.1", "-p", "{port}"]
        # Daphne refuses with 403, as if nobody may come in, who has waited longer than that.
        command += ["--websocket_connect_timeout", "60", "--access-log", os.devnull]
        command.append(APPLICATIONS[consumer])
        programs = [
            stack.enter_context(Server(*command, log=folder / f"{n}", environ=environ).running())
            for n in range(servers)
        ]
        yield World(database, redis, programs)


def run_manage(command, environ):
    """Run a command of manage.py; raise RuntimeError with what it wrote if it fails."""
    run = subprocess.run(
        [sys.executable, "manage.py", command],
        cwd=STEP,
        env=environ,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    if run.returncode:
        raise RuntimeError(f"manage.py {command} has failed:\n{run.stdout}")


def sign_in(address, username):
    """Sign in by the form, as a browser does; return the session key."""
    cookies = CookieJar()
    opener = build_opener(HTTPCookieProcessor(cookies), ProxyHandler({}))
    url = f"http://{address}/accounts/login/"
    page = opener.open(url).read().decode()
    token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page)[1]
    form = {"username": username, "password": PASSWORD, "csrfmiddlewaretoken": token}
    opener.open(url, urlencode(form).encode())
    return next(cookie.value for cookie in cookies if cookie.name == "sessionid")


def read_stored(address, session):
    """Return the frames of all that is stored in the room, page by page, over HTTP."""
    opener = build_opener(ProxyHandler({}))
    stored = []
    while True:
        after = stored[-1]["seq"] if stored else 0
        url = f"http://{address}/alert/room/{ROOM}/?after={after}"
        request = Request(url, headers={"Cookie": f"sessionid={session}"})
        page = loads(opener.open(request, timeout=60).read())["alerts"]
        if not page:
            return stored
        stored += page
