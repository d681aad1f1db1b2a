"""What is measured: server processes on 127.0.0.1, each with a fresh Redis and database."""

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
from itertools import cycle
from pathlib import Path

import psutil

from course.environment import PYTHON, clean_environ
from course.errors import CourseError
from course.redis import any_free_port, find_server
from course.serve import listens
from course.steps import ROOT, STEPS

NODE = ROOT / "bench" / "peers" / "node"
LOAD = ["-m", "bench.load"]
POLLS = ["-m", "bench.polls"]
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
    "step 1": python("manage.py", "runserver", "--noreload", "127.0.0.1:{port}", step=1),
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

    def __init__(self, target, ports, processes, rooms, cwd, variables):
        self.target, self.ports, self.processes = target, ports, processes
        self.rooms, self.cwd, self.variables = rooms, cwd, variables

    def members(self, room, count, query=""):
        """Return the first `count` members of a room, as [url, headers] for the generator."""
        _, keys = self.rooms[room] if self.rooms else (room, [""] * count)
        processes = cycle(self.ports)
        return [self.member(room, key, next(processes), query) for key in keys[:count]]

    def member(self, room, key, port, query):
        if self.target.dialect == "socketio":
            query = f"EIO=4&transport=websocket&room={room}"
            return [f"ws://127.0.0.1:{port}/socket.io/?{query}", {}]
        room_id = self.rooms[room][0] if self.rooms else room + 1
        headers = {"Origin": f"http://127.0.0.1:{port}", "Cookie": f"sessionid={key}"}
        return [f"ws://127.0.0.1:{port}/ws/chat/room/{room_id}{query}", headers]

    def cpu(self):
        """Return the seconds of CPU time that server and Redis have used."""
        used = Counter()
        for name, process in self.processes:
            times = process.cpu_times()
            used[name] += times.user + times.system
        return used

    def memory(self):
        """Return the bytes of memory of the server, as USS: what would be free without it."""
        servers = [process for name, process in self.processes if name == "server"]
        return sum(process.memory_full_info().uss for process in servers)

    def run_in_step(self, module, *arguments):
        """Run a module in the step's folder, with its database; return what it prints as JSON."""
        return run_in_step(self.cwd, self.variables, "-m", module, *arguments)


@contextmanager
def serve(name, rooms=1, members=1, history=0, database="sqlite", processes=1):
    """Serve a target with that many rooms and members of each; give a Serving.

    HISTORY alerts are stored in the first room, and that many processes serve.
    """
    target = TARGETS[name]
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
        running, variables = [], dict(target.environ)
        if target.redis:
            process, variables["REDIS_URL"] = stack.enter_context(run_redis(folder))
            running.append(("redis", process))
        filled, cwd = None, target.folder
        if target.step:
            cwd = STEPS[target.step]
            if database == "postgresql":
                variables["DATABASE_URL"] = stack.enter_context(run_postgresql(folder))
            else:
                variables["BENCH_DATABASE"] = str(folder / "db.sqlite3")
            variables |= UNLIMITED
            variables |= {"DJANGO_SETTINGS_MODULE": "bench.settings", "PYTHONPATH": str(ROOT)}
            run_in_step(cwd, variables, "manage.py", "migrate", "-v0")
            filled = run_in_step(cwd, variables, "-m", "bench.fill", rooms, members, history)
        ports = []
        for number in range(processes):
            ports.append(port := any_free_port())
            command = [word.format(port=port) for word in target.command]
            log = folder / f"server{number}.log"
            process = stack.enter_context(run(command, port, log, cwd, variables))
            running.append(("server", process))
        yield Serving(target, ports, running, filled, cwd, variables)


def run_in_step(step, variables, *command):
    """Run Python in a step's folder; return what it prints as JSON, None if it prints nothing."""
    done = subprocess.run(
        [PYTHON, *map(str, command)],
        cwd=step,
        env=clean_environ() | variables,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise CourseError(f"{command} has failed in {step.name}: {done.stderr.strip()[-500:]}")
    return json.loads(done.stdout or "null")


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


def generate(serving, plan, program=None):
    """Run a generator, LOAD or POLLS, with that plan; return its figures.

    To these are added the servers' CPU times in seconds and their memory in bytes.
    """
    with subprocess.Popen(
        [PYTHON, *(program or LOAD)],
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
        "processor": find_processor(),
        "cores": os.cpu_count(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30),
        "python": sys.version.split()[0],
        "versions": {name: found[name] for name in sorted(wanted & found.keys())},
    }


def find_processor():
    """Return the name of the processor, as far as the system tells."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())
