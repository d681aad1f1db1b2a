import json
from contextlib import suppress
from uuid import uuid4

from tests.servers import wait_until
from tests.sockets import close_code
from websockets.exceptions import ConnectionClosed

from .conftest import ROOM
from .machines import run_python

UNAVAILABLE = 4503
OUTAGE = "The database can't be reached"


def test_migrations_keep_old_alerts_on_postgresql(site):
    options = ["-q", "-p", "no:valkey", "--ds", "deploy_tests.postgresql_settings"]
    run = run_python(site.environ, "-m", "pytest", *options, "tests/test_migrations.py")
    assert run.returncode == 0, run.stdout


def test_all_migrations_are_applied(site):
    assert run_python(site.environ, "manage.py", "migrate", "--check").returncode == 0


def test_concurrent_saves_are_numbered_without_holes(site):
    code = "from deploy_tests.saves import save_at_once; save_at_once(60)"
    run = run_python(site.environ, "manage.py", "shell", "--no-imports", "-c", code)
    assert run.returncode == 0, run.stderr
    saves = json.loads(run.stdout)
    numbers = [seq for seq, created in saves if created]
    assert sorted(numbers) == list(range(1, len(saves) // 2 + 2))
    repeated = saves[1::2]
    assert len({seq for seq, _ in repeated}) == 1
    assert sum(created for _, created in repeated) == 1


def test_site_goes_on_after_an_outage_of_postgresql(site, connect, alice, health):
    message = {"message": "saved once", "client_id": str(uuid4())}
    socket = connect(alice)
    first = socket.receive("synced")["seq"]
    outages, tracebacks = (site.log().count(text) for text in [OUTAGE, "Traceback"])
    site.postgresql.crash()
    try:
        with suppress(ConnectionClosed):  # the server may have noticed first
            socket.send(message)
        assert close_code(socket) == UNAVAILABLE
        assert close_code(connect(alice)) == UNAVAILABLE
        assert alice.get("/chat/").status == 503
        assert health() == (503, {"database": "unavailable", "layer": "ok"})
        assert 1 <= site.log().count(OUTAGE) - outages <= len(site.daphnes)  # once in each
    finally:
        site.postgresql.start()
    wait_until(lambda: alice.get("/chat/").status == 200)
    socket = connect(alice, f"{ROOM}?after={first}")
    socket.send(message)
    assert socket.receive("ack")["seq"] == first + 1
    assert site.log().count("Traceback") == tracebacks
    assert "'pool-1'" not in site.log()  # in the warnings of the pool
    assert health()[0] == 200
