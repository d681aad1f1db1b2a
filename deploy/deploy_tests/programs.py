"""Programs that tests start, kill and start again, each on a port of its own."""

import os
import random
import subprocess

import pytest
from tests.redis_servers import is_listening
from tests.servers import TIMEOUT, wait_until

# Outgoing connections don't use these, nor do the steps' tests, which may run at the same time.
PORTS = range(10_000, 15_000)
used = set()


def skip_or_fail(reason):
    """Skip the test because a program is missing; with REQUIRE_SERVERS=1, fail it."""
    if os.environ.get("REQUIRE_SERVERS") == "1":
        pytest.fail(reason)
    pytest.skip(reason)


def fixed_port():
    """Return a TCP port of 127.0.0.1 that stays free while its program is stopped."""
    while True:
        port = random.SystemRandom().choice(PORTS)  # independent of a seed that a test sets
        if port not in used and not is_listening(port):
            used.add(port)
            return port


class Program:
    """A program that listens on `port`; its output is appended to the file `log`.

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
        """Wait until it listens; raise RuntimeError if it stops instead."""
        wait_until(lambda: self.process.poll() is not None or is_listening(self.port))
        if self.process.poll() is not None:
            raise RuntimeError(f"{self.command[0]} stopped:\n{self.log.read_text()}")

    def kill(self):
        """Stop it with -9."""
        if self.process:
            self.process.kill()
            self.process.wait()

    def end(self):
        """Stop it as an administrator does; kill it if it doesn't obey within TIMEOUT."""
        self.process.terminate()
        try:
            self.process.wait(TIMEOUT)
        except subprocess.TimeoutExpired:
            self.kill()
