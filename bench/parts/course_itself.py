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

from bench.figures import Table, cells, grouped
from course.errors import CourseError
from course.git import run_git
from course.learn.ports import any_free_port
from course.steps import ROOT, STEPS
from course.venv import PYTHON, environ

PATIENCE = 600  # seconds: a cold set-up downloads packages
TITLE = "The course itself"
NOTE = (
    "Seconds from the command until the first server answers, or until it has ended. Cold: in a "
    "fresh copy without .venv, as fast as pip's cache and the network allow. make check runs on a "
    "finished step; QUICK=1 compares and runs no test."
)


def jobs(full):
    if full:
        yield partial(measure_cold, "set-up and make step 1, cold")
    for step in [1, 10]:
        make = ["make", f"PYTHON={PYTHON}", "step", f"{step}", "PORT={port}"]
        yield partial(measure, f"make step {step}", make, ROOT)
        runserver = [PYTHON, "manage.py", "runserver", "127.0.0.1:{port}"]
        yield partial(measure, f"bare runserver of step {step}", runserver, STEPS[step])
    for step in [4, 10]:
        for words in ["check QUICK=1", "check", f"test {step}"]:
            yield partial(measure_check, f"make {words}, step {step}", step, words.split())


def measure_cold(name):
    """Serve step 1 from a copy of what git tracks, where nothing is installed; return the run."""
    with copied() as folder:
        return measure(name, ["make", "step", "1", "PORT={port}"], folder)


def measure_check(name, step, words):
    """Run a command to its end, beside a playground with that finished step; return the run."""
    with copied() as folder:
        Path(folder, ".venv").symlink_to(ROOT / ".venv")
        for command in ["git init", "git add --all", f"make start {step}", "make solve"]:
            subprocess.run(command.split(), cwd=folder, env=environ(), capture_output=True)
        begun = time.perf_counter()
        run = subprocess.run(["make", *words], cwd=folder, env=environ(), capture_output=True)
        seconds = time.perf_counter() - begun
    passed = run.returncode == 0 or "QUICK=1" in words  # which is never a pass
    problems = {} if passed else {run.stdout.decode(errors="replace")[-500:]: 1}
    return {
        "server": name,
        "seconds": seconds,
        "delivered": int(passed),
        "expected": 1,
        "problems": problems,
    }


@contextmanager
def copied():
    """Yield a temporary folder with the files that git tracks."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        for tracked in run_git("ls-files", "-z").decode().split("\0"):
            if tracked and (ROOT / tracked).is_file():
                file = Path(folder, tracked)
                file.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(ROOT / tracked, file)
        yield folder


def measure(name, command, folder):
    """Run a command that serves on {port}; return the run, with the seconds until it answers."""
    port = free_port()
    begun = time.perf_counter()
    command = [str(word).format(port=port) for word in command]
    with tempfile.TemporaryFile("w+") as log, running(command, folder, log) as process:
        while True:
            try:
                urlopen(f"http://127.0.0.1:{port}/accounts/login/", timeout=PATIENCE).close()
                break
            except OSError:
                if process.poll() is not None or time.perf_counter() - begun > PATIENCE:
                    log.seek(0)
                    raise CourseError(f"{name} doesn't serve: {log.read()[-500:]}") from None
                time.sleep(0.01)
        seconds = time.perf_counter() - begun
    return {"server": name, "seconds": seconds, "delivered": 1, "expected": 1, "problems": {}}


def free_port():
    """Return a free port with a free one after it, for a second server."""
    while True:
        port = any_free_port()
        with suppress(OSError), socket.create_server(("127.0.0.1", port + 1)):
            return port


@contextmanager
def running(command, folder, log):
    process = subprocess.Popen(
        command,
        cwd=folder,
        env=environ(),
        stdout=log,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):  # it has ended by itself
            os.killpg(process.pid, signal.SIGTERM)
        process.wait()


def tables(runs):
    rows = [
        [name, *cells(mine, lambda run: run["seconds"], "{:.2f}")]
        for (name,), mine in grouped(runs, "server").items()
    ]
    yield Table("Waiting", ["", "seconds", "least–most"], rows)
