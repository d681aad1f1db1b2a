"""What is measured: server processes on 127.0.0.1, each with a fresh Redis and database."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from course.environment import PYTHON, clean_environ
from course.errors import CourseError
from course.redis import any_free_port, find_server
from course.serve import listens
from course.steps import ROOT, STEPS

NODE = ROOT / "bench" / "peers" / "node"
LOAD = ["-m", "bench.load"]
PATIENCE = 60  # seconds for a program to listen
DEBIAN = Path("/usr/lib/postgresql")  # its programs aren't on PATH
DAPHNE = ["-m", "daphne", "--access-log", os.devnull, "--websocket_connect_timeout", "60"]
DAPHNE += ["-b", "127.0.0.1", "-p", "{port}"]
UVICORN = ["-m", "uvicorn", "--host", "127.0.0.1", "--port", "{port}", "--loop", "uvloop"]
UVICORN += ["--ws", "websockets-sansio", "--log-level", "warning", "--no-access-log"]
ASGI = "mychannels.asgi:application"
# The limits of step 6, which a benchmark would run into at once.
LIMITS = ["FRAMES_AT_ONCE", "FRAMES_PER_SECOND", "SOCKETS_PER_USER", "BYTES_PER_SOCKET"]
UNLIMITED = dict.fromkeys(LIMITS, "1000000000")


@dataclass(frozen=True)
class Target:
    """A server that can be measured: `command` with {port} in it, and what it needs."""

    command: tuple
    step: int = 0
    redis: bool = False
    dialect: str = "course"
    environ: tuple = ()
    folder: Path = ROOT


def python(*arguments, **options):
    return Target((str(PYTHON), *arguments), **options)


def peer(name, *, server=UVICORN, **options):
    return python(*server, f"bench.peers.{name}:application", **options)


def node(name, **options):
    return Target(("node", f"{name}.js", "{port}"), folder=NODE, **options)


def tutorial(layer):
    return peer("tutorial", server=DAPHNE, redis=layer != "memory", environ=(("LAYER", layer),))


TARGETS = {
    "step 4 on Daphne": python(*DAPHNE, ASGI, step=4),
    "step 5 on Daphne": python(*DAPHNE, ASGI, step=5, redis=True),
    "step 6 on Daphne": python(*DAPHNE, ASGI, step=6, redis=True),
    "step 6 on uvicorn": python(*UVICORN, ASGI, step=6, redis=True),
    "tutorial, in memory": tutorial("memory"),
    "tutorial, core Redis": tutorial("core"),
    "tutorial, pubsub Redis": tutorial("pubsub"),
    "python-socketio": peer("socketio_rooms", dialect="socketio"),
    "python-socketio, Redis": peer("socketio_rooms", dialect="socketio", redis=True),
    "Starlette": peer("starlette_rooms"),
    "bare websockets": python("-m", "bench.peers.bare_websockets", "{port}"),
    "Node ws": node("ws_rooms"),
    "Node Socket.IO": node("socketio_rooms", dialect="socketio"),
    "Node Socket.IO, Redis": node("socketio_rooms", dialect="socketio", redis=True),
}


def available(name):
    """Tell whether a target can be run here; install what Node's need."""
    if TARGETS[name].folder != NODE:
        return True
    if not (shutil.which("node") and shutil.which("npm")):
        return False
    if not (NODE / "node_modules").exists():
        subprocess.run(["npm", "ci", "--silent"], cwd=NODE, check=True)
    return True


class Serving:
    """A target that is being served: its processes, by what they are, and its rooms."""

    def __init__(self, target, port, processes, rooms):
        self.target, self.port, self.processes = target, port, processes
        self.rooms = rooms

    def members(self, room, count, query=""):
        """Return the first `count` members of a room, as [url, headers] for the generator."""
        origin = f"http://127.0.0.1:{self.port}"
        address = f"ws://127.0.0.1:{self.port}"
        if self.target.dialect == "socketio":
            url = f"{address}/socket.io/?EIO=4&transport=websocket&room={room}"
            return [[url, {}]] * count
        room_id, keys = self.rooms[room] if self.rooms else (room + 1, [""] * count)
        url = f"{address}/ws/chat/room/{room_id}{query}"
        return [[url, {"Origin": origin, "Cookie": f"sessionid={key}"}] for key in keys[:count]]

    def cpu(self):
        """Return the seconds of CPU time that each of the processes has used."""
        return Counter({name: cpu_of(process) for name, process in self.processes.items()})

    def memory(self):
        """Return the bytes of memory of the server, as USS: what would be free without it."""
        return self.processes["server"].memory_full_info().uss


def cpu_of(process):
    times = process.cpu_times()
    return times.user + times.system


@contextmanager
def serve(name, rooms=1, members=1, history=0, database="sqlite", environ=()):
    """Serve a target with that many rooms and members of each; give a Serving."""
    target = TARGETS[name]
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
        processes, variables = {}, dict(target.environ) | dict(environ)
        if target.redis:
            process, variables["REDIS_URL"] = stack.enter_context(run_redis(folder))
            processes["redis"] = process
        filled, cwd = None, target.folder
        if target.step:
            cwd = STEPS[target.step]
            if database == "postgresql":
                variables["DATABASE_URL"] = stack.enter_context(run_postgresql(folder))
            else:
                variables["BENCH_DATABASE"] = str(folder / "db.sqlite3")
            variables |= UNLIMITED
            variables |= {"DJANGO_SETTINGS_MODULE": "bench.settings", "PYTHONPATH": str(ROOT)}
            filled = fill(cwd, variables, rooms, members, history)
        port = any_free_port()
        command = [word.format(port=port) for word in target.command]
        processes["server"] = stack.enter_context(
            run(command, port, folder / "server.log", cwd, variables)
        )
        yield Serving(target, port, processes, filled)


def fill(step, variables, *numbers):
    """Create the tables of a step and what bench/fill.py adds; return what it prints."""
    environ = clean_environ() | variables
    for command in [["manage.py", "migrate", "-v0"], ["-m", "bench.fill", *map(str, numbers)]]:
        done = subprocess.run(
            [PYTHON, *command], cwd=step, env=environ, capture_output=True, text=True
        )
        if done.returncode:
            raise CourseError(f"{step.name} can't be filled: {done.stderr.strip()[-500:]}")
    return json.loads(done.stdout)


@contextmanager
def run(command, port, log, cwd, variables, **options):
    """Run a program until it is left; give its psutil.Process once it listens on the port."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            cwd=cwd,
            env=clean_environ() | variables,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            **options,
        )
    try:
        deadline = time.monotonic() + PATIENCE
        while not listens(port):
            if process.poll() is not None or time.monotonic() > deadline:
                raise CourseError(f"{command} doesn't serve: {log.read_text()[-500:]}")
            time.sleep(0.02)
        yield psutil.Process(process.pid)
    finally:
        process.kill()
        process.wait()


@contextmanager
def run_redis(folder):
    """Run a Redis that keeps nothing; give its process and its address."""
    port, (program, _) = any_free_port(), find_server()
    command = [program, "--bind", "127.0.0.1", "--port", str(port), "--dir", str(folder)]
    command += ["--save", "", "--appendonly", "no"]
    with run(command, port, folder / "redis.log", ROOT, {}) as process:
        yield process, f"redis://127.0.0.1:{port}/0"


def find_postgresql():
    """Return the folder with the programs of PostgreSQL, None if there is none."""
    initdb = shutil.which("initdb") or next(map(str, sorted(DEBIAN.glob("*/bin/initdb"))), None)
    return initdb and Path(initdb).resolve().parent


@contextmanager
def run_postgresql(folder):
    """Run an empty PostgreSQL; give its address."""
    programs, data, port = find_postgresql(), folder / "postgresql", any_free_port()
    data.mkdir()
    user = {}
    if os.geteuid() == 0:  # it refuses to run as root
        user = {"user": "postgres", "group": "postgres"}
        folder.chmod(0o755)
        shutil.chown(data, **user)
    initdb = [programs / "initdb", "-D", data, "-U", "postgres", "-A", "trust", "--no-sync"]
    subprocess.run(initdb, check=True, capture_output=True, cwd=data, **user)
    command = [programs / "postgres", "-D", data, "-p", str(port), "-h", "127.0.0.1", "-k", ""]
    with run(command, port, folder / "postgresql.log", data, {}, **user):
        is_ready = [programs / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(port)]
        while subprocess.run(is_ready).returncode:
            time.sleep(0.05)
        yield f"postgresql://postgres@127.0.0.1:{port}/postgres"


def generate(serving, plan):
    """Run the load generator with that plan; return its figures, with CPU times of the servers."""
    with subprocess.Popen(
        [PYTHON, *LOAD],
        cwd=ROOT,
        env=clean_environ(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        tell(process, plan | {"dialect": serving.target.dialect})
        before, memory = serving.cpu(), serving.memory()
        while isinstance(word := json.loads(process.stdout.readline() or '{"problems": {}}'), str):
            if word == "begin":
                before = serving.cpu()
            else:
                after, memory_then = serving.cpu(), serving.memory()
            tell(process, "")
    if process.returncode:
        raise CourseError("The load generator has failed, see above.")
    used = {name: after[name] - before[name] for name in after}
    return word | {"cpu": used, "memory": memory_then, "memory_before": memory}


def tell(process, what):
    process.stdin.write(json.dumps(what) + "\n")
    process.stdin.flush()


def machine():
    """Return what the figures depend on besides the code."""
    versions = subprocess.run(
        [PYTHON, "-m", "pip", "list", "--format", "json", "--disable-pip-version-check"],
        capture_output=True,
        check=True,
        env=clean_environ(),
    )
    wanted = {"django", "channels", "daphne", "channels-redis", "uvicorn", "uvloop", "websockets"}
    wanted |= {"python-socketio", "starlette", "picows", "redis", "twisted", "psycopg"}
    found = {p["name"].lower(): p["version"] for p in json.loads(versions.stdout)}
    return {
        "cores": os.cpu_count(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30),
        "python": sys.version.split()[0],
        "versions": {name: found[name] for name in sorted(wanted & found.keys())},
    }
