"""What depends on the database, once more on PostgreSQL."""

import os
import subprocess
import sys

import pytest
from django.conf import settings

from .postgresql_servers import need_postgresql, run_postgresql

MODULES = ["chat_consumer", "delivery", "migrations", "posting", "processes"]


@pytest.fixture(scope="module")
def postgresql():
    """A PostgreSQL with nothing in it."""
    need_postgresql()
    with run_postgresql() as server:
        yield server


def test_tests_of_the_database_pass_on_postgresql(postgresql):
    modules = [f"tests/test_{name}.py" for name in MODULES]
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:valkey", *modules],
        cwd=settings.BASE_DIR,
        env=os.environ | {"DATABASE_URL": postgresql.url},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stdout
