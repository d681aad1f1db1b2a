"""Programs that tests start, kill and start again, each on a port of its own."""

import os
import random
import subprocess

import pytest

from .redis_servers import is_listening
from .servers import TIMEOUT, wait_until

PORTS = range(15_000, 32_000)  # systems take none of them for outgoing connections
given = set()


def skip_or_fail(reason):
    """Skip the test for want of a program; where REQUIRE_SERVERS=1 says so, fail it."""
    if os.environ.get("REQUIRE_SERVERS") == "1":
        pytest.fail(reason)
    pytest.skip(reason)


def fixed_port():
    """Return a TCP port of 127.0.0.1 that stays free while its program is away."""
    while True:
        port = random.SystemRandom().choice(PORTS)  # not what a test has seeded
        if port not in given and not is_listening(port):
            given.add(port)
            return port


class Program:
    """A program that listens on `port`; its output is added to the file `log`.

    `options` are those of subprocess.Popen.
    """

    process = None

    def __init__(self, command, port, log, **options):
        self.command, self.port, self.log, self.options = command, port, log, options

    def start(self):
        self.launch()
        self.wait()

    def launch(self):
        """Start it; it listens a little later."""
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(
                self.command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                **self.options,
            )

    def wait(self):
        """Wait until it listens; raise RuntimeError if it has ended instead."""
        wait_until(lambda: self.process.poll() is not None or is_listening(self.port))
        if self.process.poll() is not None:
            raise RuntimeError(f"{self.command[0]} has ended:\n{self.log.read_text()}")

    def kill(self):
        """End it with -9."""
        if self.process:
            self.process.kill()
            self.process.wait()

    def end(self, patience=TIMEOUT):
        """End it as an administrator does; return whether it obeyed in so many seconds."""
        self.process.terminate()
        try:
            self.process.wait(patience)
        except subprocess.TimeoutExpired:
            self.kill()
            return False
        return True
