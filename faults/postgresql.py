"""A PostgreSQL with data of its own, for a run of the last step as `deploy/` runs it."""

import os
import shutil
import subprocess
from pathlib import Path

from course.errors import CourseError
from course.learn.ports import any_free_port

DEBIAN = Path("/usr/lib/postgresql")  # a folder for each version; its programs aren't on PATH


def start_postgresql(processes, folder):
    """Start an empty PostgreSQL that keeps its data in `folder`; return its URL."""
    programs, port = find_programs(), any_free_port()
    data, log = folder / "postgresql", folder / "postgresql.log"
    data.mkdir()
    as_postgres = []
    if os.geteuid() == 0:  # it refuses to run as root
        as_postgres = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]
        folder.chmod(0o755)
        shutil.chown(data, "postgres", "postgres")
    initdb = [programs / "initdb", "-D", data, "-U", "postgres", "-A", "trust", "--no-sync"]
    subprocess.run(
        [*as_postgres, *initdb], cwd=data, check=True, capture_output=True, start_new_session=True
    )
    with log.open("wb") as output:
        where = ["-D", data, "-p", str(port), "-h", "127.0.0.1", "-k", ""]
        command = [*as_postgres, programs / "postgres", *where]
        process = processes.start("PostgreSQL", command, data, stdout=output)
    is_ready = [programs / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(port)]
    processes.wait_until(lambda: subprocess.run(is_ready).returncode == 0)
    if process.poll() is not None:
        raise CourseError(f"PostgreSQL does not start: {log.read_text().strip()[-500:]}")
    return f"postgresql://postgres@127.0.0.1:{port}/postgres"


def find_programs():
    """Return the folder with PostgreSQL's programs."""
    initdb = shutil.which("initdb") or next(map(str, sorted(DEBIAN.glob("*/bin/initdb"))), None)
    if not initdb:
        raise CourseError(
            "PostgreSQL is missing. Install it (on Debian: sudo apt install postgresql), "
            "or leave out --database."
        )
    return Path(initdb).resolve().parent
