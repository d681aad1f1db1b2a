"""A real PostgreSQL for the tests: the one that is installed on this machine."""

import os
import shutil
import signal
import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path

from tests.redis_servers import is_listening
from tests.servers import wait_until

from .programs import fixed_port, skip_or_fail

DEBIAN = Path("/usr/lib/postgresql")  # one folder for each version; its programs aren't on PATH


def find_postgresql():
    """Return the folder with PostgreSQL's programs, or None."""
    initdb = shutil.which("initdb") or next(map(str, sorted(DEBIAN.glob("*/bin/initdb"))), None)
    return initdb and Path(initdb).resolve().parent


def need_postgresql():
    """Skip the test without PostgreSQL; with REQUIRE_SERVERS=1, fail it."""
    if not find_postgresql():
        skip_or_fail("no PostgreSQL: install it, on Debian with apt-get install postgresql")


class PostgreSQL:
    """A PostgreSQL with data of its own, which a test can stop and start again."""

    def __init__(self, folder):
        self.programs = find_postgresql()
        self.data = Path(folder) / "data"
        self.port = fixed_port()
        self.url = f"postgresql://postgres@127.0.0.1:{self.port}/postgres"
        # It refuses to run as root.
        self.user = {"user": "postgres", "group": "postgres"} if os.geteuid() == 0 else {}
        if self.user:
            shutil.chown(folder, **self.user)
        initdb = [self.programs / "initdb", "-D", self.data, "-U", "postgres", "-A", "trust"]
        subprocess.run([*initdb, "--no-sync"], check=True, capture_output=True, **self.user)

    def start(self):
        where = ["-D", self.data, "-p", f"{self.port}", "-h", "127.0.0.1", "-k", ""]
        with (self.data / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [self.programs / "postgres", *where],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                **self.user,
            )
        wait_until(self.is_ready)

    def is_ready(self):
        """Return whether it accepts connections; raise RuntimeError if it has stopped."""
        if self.process.poll() is not None:
            raise RuntimeError((self.data / "log").read_text())
        pg_isready = [self.programs / "pg_isready", "-q", "-h", "127.0.0.1", "-p", f"{self.port}"]
        return is_listening(self.port) and subprocess.run(pg_isready).returncode == 0

    def crash(self):
        """Stop it at once, as a power cut would: the next start recovers from its log."""
        self.process.send_signal(signal.SIGQUIT)
        self.process.wait()


@contextmanager
def run_postgresql():
    """Run an empty PostgreSQL; yield a PostgreSQL object. Its files are removed at the end."""
    with tempfile.TemporaryDirectory(prefix="postgresql-") as folder:
        server = PostgreSQL(folder)
        server.start()
        try:
            yield server
        finally:
            server.crash()
