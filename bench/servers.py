"""What is measured: server processes on 127.0.0.1, each with its own Redis and database."""

import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cache
from itertools import count, cycle
from pathlib import Path

import psutil

from course.errors import CourseError
from course.learn.ports import any_free_port, listens
from course.learn.redis import find_server
from course.steps import ROOT, STEPS
from course.venv import PYTHON, environ

NODE = ROOT / "bench" / "peers" / "node"
LOAD = ["-m", "bench.load"]
POLLS = ["-m", "bench.polls"]
PATIENCE = 60  # seconds for a program to listen
DEBIAN = Path("/usr/lib/postgresql")  # its programs aren't on PATH
DAPHNE = ["-m", "daphne", "--access-log", os.devnull, "--websocket_connect_timeout", "60"]
DAPHNE += ["-b", "127.0.0.1", "-p", "{port}"]
UVICORN = ["-m", "uvicorn", "--host", "127.0.0.1", "--port", "{port}", "--loop", "uvloop"]
UVICORN += ["--ws", "websockets-sansio", "--log-level", "warning", "--no-access-log"]
RUNSERVER = ["manage.py", "runserver", "--noreload", "127.0.0.1:{port}"]
ASGI = "mychannels.asgi:application"
ACKS = 7  # the first step that acknowledges messages
# A benchmark would reach these limits of steps 9 and 10 at once.
LIMITS = ["FRAMES_AT_ONCE", "FRAMES_PER_SECOND", "BYTES_PER_SOCKET"]
UNLIMITED = dict.fromkeys(LIMITS, "1000000000")
# What deploy/ asks for.
DEPLOYED = {
    "DJANGO_SETTINGS_MODULE": "mychannels_deploy.settings",
    "DJANGO_SECRET_KEY": "only for servers that end in a moment",
    "DJANGO_ALLOWED_HOSTS": "127.0.0.1",
    "PYTHONPATH": f"{ROOT / 'deploy'}{os.pathsep}{ROOT}",
}


@dataclass(frozen=True)
class Target:
    """A server that can be measured: `command` with {port} in it, and what it needs."""

    command: tuple
    folder: Path = ROOT
    step: int = 0
    redis: bool = False
    postgresql: bool = False
    dialect: str = "course"
    environ: tuple = ()


def python(*arguments, **options):
    return Target((str(PYTHON), *arguments), **options)


def step(number, *server, **options):
    return python(*server, ASGI, step=number, folder=STEPS.get(number), **options)


def peer(name, *, server=UVICORN, **options):
    return python(*server, f"bench.peers.{name}:application", **options)


def node(name, **options):
    return Target(("node", f"{name}.js", "{port}"), folder=NODE, **options)


def tutorial(layer):
    return peer("tutorial", server=DAPHNE, redis=layer != "memory", environ=(("LAYER", layer),))


TARGETS = {
    "step 1": python(*RUNSERVER, step=1, folder=STEPS.get(1)),
    "step 4 on Daphne": step(4, *DAPHNE),
    "step 5 on Daphne": step(5, *DAPHNE, redis=True),
    "step 6 on Daphne": step(6, *DAPHNE, redis=True),
    "step 7 on Daphne": step(7, *DAPHNE, redis=True),
    "step 8 on Daphne": step(8, *DAPHNE, redis=True),
    "step 9 on Daphne": step(9, *DAPHNE, redis=True),
    "step 10 on Daphne": step(10, *DAPHNE, redis=True),
    "step 8 on uvicorn": step(8, *UVICORN, redis=True),
    "step 9 on uvicorn": step(9, *UVICORN, redis=True),
    "step 10 on uvicorn": step(10, *UVICORN, redis=True),
    "step 10 on Daphne, PostgreSQL": step(10, *DAPHNE, redis=True, postgresql=True),
    "tutorial, in memory": tutorial("memory"),
    "tutorial, core Redis": tutorial("core"),
    "tutorial, pubsub Redis": tutorial("pubsub"),
    "python-socketio, Redis": peer("socketio_rooms", dialect="socketio", redis=True),
    "Starlette": peer("starlette_rooms"),
    "bare websockets": python("-m", "bench.peers.bare_websockets", "{port}"),
    "Node ws": node("ws_rooms"),
    "Node Socket.IO, Redis": node("socketio_rooms", dialect="socketio", redis=True),
}


def available(name):
    """Return whether a target can run on this machine; install the packages of Node's."""
    target = TARGETS[name]
    if target.postgresql:
        return find_postgresql() is not None
    if target.folder != NODE:
        return True
    if not (shutil.which("node") and shutil.which("npm")):
        return False
    if not (NODE / "node_modules").exists():
        subprocess.run(["npm", "ci", "--silent"], cwd=NODE, check=True)
    return True


class Serving:
    """A target that is being served: its ports, its processes by kind, and its rooms.

    `variables` are those that its processes have in their environment.
    """

    def __init__(self, target, ports, processes, rooms, variables):
        self.target, self.ports, self.processes, self.rooms = target, ports, processes, rooms
        self.variables = variables

    def members(self, room, count, query=""):
        """Return the first `count` members of a room, as [url, headers] for the generator."""
        _, keys = self.rooms[room] if self.rooms else (room, [""] * count)
        ports = cycle(self.ports)
        return [self.member(room, key, next(ports), query) for key in keys[:count]]

    def member(self, room, key, port, query):
        if self.target.dialect == "socketio":
            query = f"EIO=4&transport=websocket&room={room}"
            return [f"ws://127.0.0.1:{port}/socket.io/?{query}", {}]
        room_id = self.rooms[room][0] if self.rooms else room + 1
        headers = {"Origin": f"http://127.0.0.1:{port}", "Cookie": f"sessionid={key}"}
        return [f"ws://127.0.0.1:{port}/ws/chat/room/{room_id}{query}", headers]

    def save_missed(self, count):
        """Save `count` messages in the first room without sending them to anybody."""
        run_in_step(self.target.step, self.variables, "-m", "bench.missed", count)

    def cpu(self):
        """Return the seconds of CPU time that the server and Redis have used."""
        used = Counter()
        for name, process in self.processes:
            times = process.cpu_times()
            used[name] += times.user + times.system
        return used

    def memory(self):
        """Return the server's memory in bytes, as USS: what would be free without it."""
        servers = [process for name, process in self.processes if name == "server"]
        return sum(process.memory_full_info().uss for process in servers)


@contextmanager
def serve(target, rooms=1, members=1, history=0, processes=1):
    """Serve a target in `processes` processes; yield a Serving.

    Each of the rooms has so many members of its own; the first room has a history of messages.
    """
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
        running, filled, variables = [], None, dict(target.environ)
        if target.redis:
            process, variables["REDIS_URL"] = stack.enter_context(run_redis(folder))
            running.append(("redis", process))
        if target.postgresql:
            variables["DATABASE_URL"] = stack.enter_context(run_postgresql(folder))
            variables |= DEPLOYED | UNLIMITED
            filled = fill(target.step, variables, rooms, members, history)
        elif target.step:
            database, filled = filled_database(target.step, rooms, members, history)
            variables |= with_database(shutil.copy(database, folder)) | UNLIMITED
        ports = []
        for number in range(processes):
            ports.append(port := any_free_port())
            command = [word.replace("{port}", str(port)) for word in target.command]
            log = folder / f"server{number}.log"
            process = stack.enter_context(run(command, port, log, target.folder, variables))
            running.append(("server", process))
        yield Serving(target, ports, running, filled, variables)


def save_plainly(step, history, seconds):
    """Save alerts in a room with a history; return their number and the seconds of CPU time."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        database, _ = filled_database(step, 1, 1, history)
        variables = with_database(shutil.copy(database, folder))
        return json.loads(run_in_step(step, variables, "-m", "bench.plain_saves", seconds))


@cache
def filled_database(step, rooms, members, history):
    """Return the file of a step's filled SQLite database, and its rooms as bench.fill prints them.

    It is made once and copied for each server.
    """
    file = Path(scratch().name) / f"database{next(numbers)}"
    return file, fill(step, with_database(file), rooms, members, history)


numbers = count()


@cache
def scratch():
    """Return a temporary folder that is removed at the end."""
    return tempfile.TemporaryDirectory(prefix="bench-")


def with_database(file):
    """Return the variables with which a step uses that SQLite database."""
    settings = {"DJANGO_SETTINGS_MODULE": "bench.settings", "PYTHONPATH": str(ROOT)}
    return settings | {"BENCH_DATABASE": str(file)}


def fill(step, variables, rooms, members, history):
    """Make the tables of a step's database and fill them; return its rooms."""
    return json.loads(run_in_step(step, variables, "-m", "bench.fill", rooms, members, history))


def run_in_step(step, variables, *command):
    """Run Python in a step's folder; return what it prints."""
    done = subprocess.run(
        [PYTHON, *map(str, command)],
        cwd=STEPS[step],
        env=environ() | variables,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        words = " ".join(map(str, command))
        raise CourseError(f"{words} failed in {STEPS[step].name}: {done.stderr.strip()[-500:]}")
    return done.stdout


@contextmanager
def run(command, port, log, cwd, variables, **options):
    """Run a program inside the block; yield its psutil.Process once it listens on the port."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            cwd=cwd,
            env=environ() | variables,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            **options,
        )
    try:
        deadline = time.monotonic() + PATIENCE
        while not listens(port):
            if process.poll() is not None or time.monotonic() > deadline:
                words = " ".join(map(str, command))
                raise CourseError(f"{words} doesn't serve: {log.read_text()[-500:]}")
            time.sleep(0.02)
        yield psutil.Process(process.pid)
    finally:
        process.kill()
        process.wait()


@contextmanager
def run_redis(folder):
    """Run a Redis that keeps nothing; yield its process and its address."""
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
    """Run an empty PostgreSQL; yield its address."""
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


def generate(serving, plan, program=None):
    """Run a generator, LOAD or POLLS, with that plan; return its figures.

    To these are added the CPU times in seconds and the server's memory in bytes.
    """
    target = serving.target
    with subprocess.Popen(
        [PYTHON, *(program or LOAD)],
        cwd=ROOT,
        env=environ(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        write(process, plan | {"dialect": target.dialect, "acks": target.step >= ACKS})
        before, memory = serving.cpu(), serving.memory()
        while isinstance(word := json.loads(process.stdout.readline() or '{"problems": {}}'), str):
            if word == "begin":
                before = serving.cpu()
            else:
                after, memory_then = serving.cpu(), serving.memory()
            write(process, "")
    if process.returncode:
        raise CourseError("The load generator failed, see above.")
    used = {name: after[name] - before[name] for name in after}
    return word | {"cpu": used, "memory": memory_then, "memory_before": memory}


def write(process, what):
    process.stdin.write(json.dumps(what) + "\n")
    process.stdin.flush()


def machine():
    """Return what the figures depend on besides the code."""
    versions = subprocess.run(
        [PYTHON, "-m", "pip", "list", "--format", "json", "--disable-pip-version-check"],
        capture_output=True,
        check=True,
        env=environ(),
    )
    wanted = {"django", "channels", "daphne", "channels-redis", "uvicorn", "uvloop", "websockets"}
    wanted |= {"python-socketio", "starlette", "picows", "redis", "twisted", "psycopg"}
    packages = json.loads(versions.stdout)
    found = {p["name"].lower().replace("_", "-"): p["version"] for p in packages}
    return {
        "processor": find_processor(),
        "cores": os.cpu_count(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30),
        "python": sys.version.split()[0],
        "versions": {name: found[name] for name in sorted(wanted & found.keys())},
    }


def find_processor():
    """Return the name of the processor, as far as the system knows it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())
