"""What sockets cost that stand still, and what it takes when all of them come back at once."""

from functools import partial

from bench.figures import Table, cells, grouped, middle
from bench.servers import generate, serve

QUICK = ["step 6 on Daphne", "step 6 on uvicorn"]
SERVERS = ["tutorial, core Redis", "python-socketio", "Starlette", "bare websockets"]
MISSED = 50  # messages that each socket of the storm has to get
TITLE = "Standing still"
NOTE = (
    "MB: what a server's memory (USS) grows by for 1000 sockets in one room. The storm: a server "
    f"that has just been started, and clients that all connect at once and have missed {MISSED} "
    "messages each; the seconds until the last of them has all."
)


def jobs(full):
    for _ in range(3 if full else 1):
        for name in [*QUICK, *SERVERS] if full else QUICK:
            yield partial(measure_idle, name, 1000 if full else 200)
        for name in QUICK:
            yield partial(measure_storm, name, 500 if full else 100)


def measure_idle(name, sockets):
    """Open sockets and leave them alone; return the run."""
    with serve(name, members=sockets) as serving:
        found = generate(serving, {"rooms": [serving.members(0, sockets)]})
    return found | {"server": name, "sockets": sockets, "kind": "idle"}


def measure_storm(name, sockets):
    """Let all sockets connect at once and say that they have seen nothing; return the run."""
    with serve(name, members=sockets, history=MISSED) as serving:
        plan = {"rooms": [serving.members(0, sockets, "?after=0")], "opening_at_once": sockets}
        found = generate(serving, plan | {"missed": MISSED})
    return found | {"server": name, "sockets": sockets, "kind": "storm"}


def tables(runs):
    idle = grouped([run for run in runs if run["kind"] == "idle"], "sockets", "server")
    rows = [
        [
            name,
            str(sockets),
            *cells(
                mine,
                lambda run: (run["memory"] - run["memory_before"]) / run["sockets"] / 1e3,
                "{:.1f}",
            ),
            middle(mine, lambda run: run["sockets"] / run["opening_seconds"], "{:,.0f}"),
            "" if mine else "incomplete",
        ]
        for (sockets, name), mine in idle.items()
    ]
    headings = ["server", "sockets", "MB per 1000", "least–most", "connections per second", ""]
    yield Table("Idle sockets", headings, rows)
    storm = grouped([run for run in runs if run["kind"] == "storm"], "sockets", "server")
    rows = [
        [
            name,
            str(sockets),
            *cells(mine, lambda run: run["opening_seconds"], "{:.1f}"),
            "" if mine else "incomplete",
        ]
        for (sockets, name), mine in storm.items()
    ]
    yield Table("The storm", ["server", "sockets", "seconds", "least–most", ""], rows)
