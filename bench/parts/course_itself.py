"""How long a learner waits for the course's own commands."""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from urllib.request import urlopen

from bench.figures import Table, cells
from course.environment import PYTHON, clean_environ
from course.errors import CourseError
from course.git import run_git
from course.redis import any_free_port
from course.steps import ROOT, STEPS

PATIENCE = 600  # seconds: a cold set-up downloads packages
COLD, WARM, BARE = "set-up and step 1, cold", "step {}, warm", "bare runserver of step {}"
TESTS = "make test 1, warm"
TITLE = "The course itself"
NOTE = (
    "Seconds from the command until the server answers, the first of two in step 6; cold: in a "
    "fresh copy without .venv, as pip's cache and the network allow. Collected: until pytest has "
    "found the tests of a step."
)


def jobs(full):
    for number in range(3 if full else 1):
        if full and not number:
            yield measure_cold
        for step in [1, 6] * 3:
            make = ["make", f"PYTHON={PYTHON}", "step", f"{step}", "PORT={port}"]
            yield partial(measure_step, WARM.format(step), make, ROOT)
            runserver = [PYTHON, "manage.py", "runserver", "127.0.0.1:{port}"]
            yield partial(measure_step, BARE.format(step), runserver, STEPS[step])
        for step in STEPS.values():
            yield partial(measure_command, f"{step.name}: collected", step)
    if full:
        yield partial(measure_command, TESTS, ROOT)


def measure_cold():
    """Serve step 1 from a copy of what git tracks, where nothing is installed; return the run."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        for name in run_git("ls-files", "-z").decode().split("\0"):
            if name and (ROOT / name).is_file():
                file = Path(folder, name)
                file.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(ROOT / name, file)
        return measure_step(COLD, ["make", "step", "1", "PORT={port}"], folder)


def measure_step(name, command, folder):
    """Run a command that serves on {port}; return the seconds until it answers."""
    port = free_port()
    begun = time.perf_counter()
    command = [str(word).format(port=port) for word in command]
    with tempfile.TemporaryFile("w+") as log, running(command, folder, log) as process:
        while True:
            try:
                urlopen(f"http://127.0.0.1:{port}/accounts/login/", timeout=PATIENCE).close()
                return run_of(name, begun)
            except OSError:
                if process.poll() is not None or time.perf_counter() - begun > PATIENCE:
                    log.seek(0)
                    raise CourseError(f"{name} doesn't serve: {log.read()[-500:]}") from None
                time.sleep(0.01)


def free_port():
    """Return a port that is free as the next one is, which a second server takes."""
    while True:
        port = any_free_port()
        with suppress(OSError), socket.create_server(("127.0.0.1", port + 1)):
            return port


def run_of(name, begun):
    """Return the run of something that began then and has ended now, without fail."""
    seconds = time.perf_counter() - begun
    return {"name": name, "seconds": seconds, "delivered": 1, "expected": 1, "problems": {}}


@contextmanager
def running(command, folder, log):
    process = subprocess.Popen(
        command,
        cwd=folder,
        env=clean_environ(),
        stdout=log,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):  # it has ended by itself, and its failure is the news
            os.killpg(process.pid, signal.SIGTERM)
        process.wait()


def measure_command(name, folder):
    """Run tests, or only collect them; return the seconds until that is done."""
    command = [PYTHON, "-m", "pytest", "-q", "--collect-only"]
    if name == TESTS:
        command = [PYTHON, "-m", "course", "test", "1"]
    begun = time.perf_counter()
    subprocess.run(command, cwd=folder, env=clean_environ(), check=True, capture_output=True)
    return run_of(name, begun)


def tables(runs):
    names = dict.fromkeys(run["name"] for run in runs)
    rows = [
        [
            name,
            *cells([run for run in runs if run["name"] == name], lambda r: r["seconds"], "{:.2f}"),
        ]
        for name in names
    ]
    yield Table("Waiting", ["", "seconds", "least–most"], rows)
