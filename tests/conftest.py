"""Fixtures for the tests of the package `course`."""

import os
import random
import signal
import socket
import subprocess
import time
from contextlib import suppress
from pathlib import Path

import pytest
from made_up import CopiedCourse, MadeUpCourse

from course.git import location, run_git
from course.hunks import compare

ROOT = Path(__file__).resolve().parent.parent
TIMEOUT = 60  # seconds
PORTS = range(10_000, 15_000)  # no system uses them for outgoing connections, nor the steps' tests


def wait_until(condition):
    """Return as soon as `condition()` is true; raise TimeoutError if it never is."""
    deadline = time.monotonic() + TIMEOUT
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError
        time.sleep(0.05)


def environ(**variables):
    """Return our environment without what an outer `make`, or a codespace, has put there."""
    ours = {"HOST", "PORT", "SERVERS", "REDIS_URL", "CMD", "N", "MAKEFLAGS", "MAKELEVEL", "MFLAGS"}
    ours.add("CODESPACE_NAME")
    return {k: v for k, v in os.environ.items() if k not in ours} | variables


@pytest.fixture
def port():
    """A port of 127.0.0.1 that is free, and the next one too."""
    while True:
        number = random.SystemRandom().choice(PORTS)
        with socket.socket() as first, socket.socket() as second, suppress(OSError):
            first.bind(("127.0.0.1", number))
            second.bind(("127.0.0.1", number + 1))
            return number


@pytest.fixture
def make():
    """A function that runs make to its end: `make("step", "9")`."""

    def run(*arguments, cwd=ROOT, **variables):
        return subprocess.run(
            ["make", *arguments],
            cwd=cwd,
            env=environ(**variables),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=TIMEOUT,
        )

    return run


class Served:
    """A `make step N` that is running."""

    def __init__(self, process, log):
        self.process, self.log = process, log

    def output(self):
        return self.log.read_text()

    def until_served(self):
        """Wait until it says that it serves, or has ended."""
        wait_until(lambda: "Ctrl-C to stop" in self.output() or self.process.poll() is not None)
        assert self.process.poll() is None, self.output()

    def end(self, number):
        """Send it a signal, as a terminal would to all of its group; return its exit status."""
        os.killpg(self.process.pid, number)
        return self.process.wait(TIMEOUT)


@pytest.fixture
def serve(tmp_path):
    """A function that starts make and returns what it serves; what still runs is ended."""
    started = []

    def start(*arguments, cwd=ROOT, **variables):
        log = tmp_path / f"log {len(started)}"
        with log.open("wb") as output:
            process = subprocess.Popen(
                ["make", *arguments],
                cwd=cwd,
                env=environ(**variables),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        started.append(Served(process, log))
        return started[-1]

    yield start
    for served in started:
        if served.process.poll() is None:
            served.end(signal.SIGTERM)


@pytest.fixture
def made_up(tmp_path):
    """A made-up course of three steps, with all of it committed."""
    folder = tmp_path / "made up"
    folder.mkdir()
    course = MadeUpCourse(folder)
    course.git("init", "--quiet", "--initial-branch=main")
    course.commit("the course")
    return course


@pytest.fixture(scope="session")
def copied(tmp_path_factory):
    """A copy of the course, all of it committed, in which nobody changes the steps."""
    course = CopiedCourse(tmp_path_factory.mktemp("copy of the course"))
    course.git("init", "--quiet")
    course.commit("the course")
    return course


def tree_of(folder):
    """Return the id of a git tree with the files of a folder."""
    index = {"GIT_INDEX_FILE": f"{folder}.index", "GIT_WORK_TREE": str(folder)}
    run_git("-C", folder, "add", "--all", **location() | index)
    return run_git("write-tree", **location() | index).decode().strip()


@pytest.fixture
def changes(tmp_path):
    """A function that returns the changes from some files to others, given as contents by path."""

    def between(before, after):
        trees = []
        for name, files in [("before", before), ("after", after)]:
            for path, content in files.items():
                file = tmp_path / name / path
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(content if isinstance(content, bytes) else content.encode())
            (tmp_path / name).mkdir(exist_ok=True)
            trees.append(tree_of(tmp_path / name))
        return compare(*trees)

    return between
