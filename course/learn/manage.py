"""make manage N: manage.py of a step, beside the servers of that step."""

import shlex
import subprocess
from contextlib import suppress

from course.errors import CourseError, say
from course.steps import command_of, needs_redis
from course.venv import PYTHON, environ

NOWHERE = "redis://127.0.0.1:1/0"  # nothing listens on port 1


def manage(step, cmd, redis_url):
    """Run manage.py of the step, with the words in `cmd`; return its exit status.

    It uses `redis_url`, or the Redis of the step's servers that run, and no other. Raises
    CourseError without words, and for a broadcast when no server runs.
    """
    served = command_of(step)
    if not (step / "manage.py").exists():
        raise CourseError(f"{step.name} has no manage.py. Type first: make start 2")
    try:
        words = shlex.split(cmd or "")
    except ValueError:  # a quote is missing
        words = []
    if not words:
        raise CourseError(
            f"CMD has no command, or an open quote. Type: {command_of(step, 'manage')} CMD=check"
        )
    if words[0] == "broadcast" and not (step / "db.sqlite3").exists():
        raise CourseError(f"{step.name} has no database yet. Type first: {served}")
    variables = {}
    if needs_redis(step):
        variables["REDIS_URL"] = url = redis_url or find_redis(step)
        if url == NOWHERE:
            idle = f"{step.name} isn't running, so it has no Redis. Type first: {served}"
            if words[0] == "broadcast":
                raise CourseError(idle)
            say(idle)
    command = [PYTHON, "manage.py", *words]
    return subprocess.run(command, cwd=step, env=environ(**variables)).returncode


def find_redis(step):
    """Return the REDIS_URL of the oldest server of a step that runs, NOWHERE if none does."""
    import psutil

    running = psutil.process_iter(["create_time"])
    for process in sorted(running, key=lambda process: process.info["create_time"]):
        with suppress(psutil.Error):
            if "runserver" in process.cmdline() and process.cwd() == str(step):
                return process.environ().get("REDIS_URL", NOWHERE)
    return NOWHERE
