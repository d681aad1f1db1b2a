"""Real server processes for the tests."""

import os
import random
import socket
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.request import urlopen

from django.conf import settings
from django.db import connection

RUNSERVER = ("manage.py", "runserver", "--noreload", "127.0.0.1:{port}")
TIMEOUT = float(os.environ.get("TEST_TIMEOUT") or 60)  # seconds: more for a slow machine
PORTS = range(15_000, 32_000)  # no system uses them for outgoing connections


def free_port():
    """Return a TCP port of 127.0.0.1 that no program uses."""
    while True:
        port = random.SystemRandom().choice(PORTS)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def environ_of_a_process():
    """Return the environment in which a process of this project uses the database of the tests."""
    return os.environ | {
        "DJANGO_SETTINGS_MODULE": "tests.settings",
        "PYTHONUNBUFFERED": "1",
        "TEST_DATABASE": str(connection.settings_dict["NAME"]),
    }


def run_manage(*arguments, **environ):
    """Run `python manage.py` with those arguments in a process of its own; return what it did.

    `environ` is what its environment has besides ours.
    """
    return subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=settings.BASE_DIR,
        env=environ_of_a_process() | environ,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
    )


@contextmanager
def run_server(log, command=RUNSERVER, port=None, **environ):
    """Run a server of this project on the database of the tests; yield its address.

    `log` is the path that its output goes to, `command` what Python is to run, with {port} for
    the port, by default a free one, and `environ` what its environment has besides ours.
    """
    port = port or free_port()
    with Path(log).open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, *(word.format(port=port) for word in command)],
            cwd=settings.BASE_DIR,
            env=environ_of_a_process() | environ,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        try:
            url = f"http://127.0.0.1:{port}"
            wait_until(lambda: process.poll() is not None or is_served(f"{url}/accounts/login/"))
            if process.returncode is not None:
                raise RuntimeError(f"The server did not start:\n{Path(log).read_text()}")
            yield url
        finally:
            process.kill()
            process.wait()


def wait_until(condition):
    """Return as soon as `condition()` is true; raise TimeoutError if it never is."""
    deadline = time.monotonic() + TIMEOUT
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError
        time.sleep(0.05)


def is_served(url):
    """Return whether a server answers there, whatever the answer is."""
    try:
        urlopen(url, timeout=TIMEOUT).close()
    except HTTPError:
        return True
    except (URLError, ConnectionError):
        return False
    return True
