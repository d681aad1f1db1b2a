"""make manage N: manage.py of a step, beside the servers of that step."""

import fcntl
import os
import shlex
import subprocess
from contextlib import contextmanager

from course.environment import PYTHON, clean_environ, ensure, say
from course.errors import CourseError
from course.steps import ROOT, needs_redis

FOLDER = ROOT / "build" / "served"  # a file for each step, with the REDIS_URL of its servers
NOWHERE = "redis://127.0.0.1:1/0"  # nothing listens on port 1


def manage(step, command):
    """Run manage.py of the step, with the words in CMD; return its exit status.

    It uses REDIS_URL, or the Redis that `make step` has started for this step, and no other. Raises
    CourseError without CMD; `command` is what it tells the user to type.
    """
    try:
        words = shlex.split(os.environ.get("CMD") or "")
    except ValueError:  # a quote is missing
        words = []
    if not words:
        raise CourseError(f"CMD has no command for manage.py. Type: {command} CMD='check'")
    variables = {}
    if needs_redis(step) and not os.environ.get("REDIS_URL"):
        variables["REDIS_URL"] = url = find_redis(step)
        if url == NOWHERE:
            cure = command.replace("manage", "step")
            say(f"{step.name} isn't running, so it has no Redis. To start it, type: {cure}")
    ensure("course")
    environ = clean_environ(**variables)
    return subprocess.run([PYTHON, "manage.py", *words], cwd=step, env=environ).returncode


@contextmanager
def note_redis(step, url):
    """Let `make manage` find the Redis of a step's servers, for the time of the block."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    with (FOLDER / step.name).open("a") as file:
        # The lock goes with this process, whatever ends it; the text in the file may be old.
        if lock(file, fcntl.LOCK_EX):
            file.truncate(0)
            file.write(url or NOWHERE)
            file.flush()
        yield


def find_redis(step):
    """Return the REDIS_URL of the servers of a step, NOWHERE if it isn't running."""
    file = FOLDER / step.name
    if not file.exists():
        return NOWHERE
    with file.open("r+") as served:
        return NOWHERE if lock(served, fcntl.LOCK_SH) else served.read()


def lock(file, kind):
    """Lock the file until it is closed; return whether no other lock was in the way."""
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
