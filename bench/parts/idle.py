"""What idle sockets cost, and what it takes when all of them come back at once."""

from functools import partial

from bench.figures import Table, cells, grouped, middle, ratio
from bench.servers import TARGETS, generate, serve

SOCKETS = 500
MISSED = 50  # messages that each socket has missed that comes back
STEP_5 = "step 5 on Daphne"
QUICK = [STEP_5, "step 10 on Daphne"]
SERVERS = [*QUICK, "step 10 on uvicorn", "tutorial, core Redis", "python-socketio, Redis"]
SERVERS += ["Starlette", "bare websockets"]
BACK = ["step 10 on Daphne", "step 10 on uvicorn"]
TITLE = "Idle sockets"
NOTE = (
    "MB: a server's memory (USS) with all sockets open in one room; × step 5: to that of step 5; "
    "KB a socket: how much each of them added. All at once: a server that has just been started, "
    f"and clients that all connect at the same time and have missed {MISSED} messages each; "
    "seconds until the last of them has everything."
)


def jobs(full):
    for name in SERVERS if full else QUICK:
        yield partial(measure_idle, name, SOCKETS)
    for name in BACK if full else BACK[:1]:
        yield partial(measure_return, name, SOCKETS)


def measure_idle(name, sockets):
    """Open sockets and leave them alone; return the run."""
    with serve(TARGETS[name], members=sockets) as serving:
        found = generate(serving, {"rooms": [serving.members(0, sockets)]})
    return found | {"server": name, "sockets": sockets, "kind": "idle"}


def measure_return(name, sockets):
    """Let all sockets connect at once and ask for all messages; return the run."""
    with serve(TARGETS[name], members=sockets, history=MISSED) as serving:
        plan = {"rooms": [serving.members(0, sockets, "?after=0")], "opening_at_once": sockets}
        found = generate(serving, plan | {"missed": MISSED})
    return found | {"server": name, "sockets": sockets, "kind": "return"}


def tables(runs):
    idle = grouped([run for run in runs if run["kind"] == "idle"], "sockets", "server")
    rows = [
        [
            name,
            str(sockets),
            *cells(mine, megabytes, "{:.1f}"),
            ratio(mine, idle.get((sockets, STEP_5)), megabytes),
            middle(mine, kilobytes_a_socket, "{:.1f}"),
            middle(mine, lambda run: run["sockets"] / run["opening_seconds"], "{:,.0f}"),
            "" if mine else "incomplete",
        ]
        for (sockets, name), mine in idle.items()
    ]
    headings = ["server", "sockets", "MB", "least–most", "× step 5", "KB a socket"]
    yield Table("Idle", [*headings, "connections per second", ""], rows)
    back = grouped([run for run in runs if run["kind"] == "return"], "sockets", "server")
    rows = [
        [
            name,
            str(sockets),
            *cells(mine, lambda run: run["opening_seconds"], "{:.1f}"),
            "" if mine else "incomplete",
        ]
        for (sockets, name), mine in back.items()
    ]
    yield Table("All at once", ["server", "sockets", "seconds", "least–most", ""], rows)


def megabytes(run):
    return run["memory"] / 1e6


def kilobytes_a_socket(run):
    return (run["memory"] - run["memory_before"]) / run["sockets"] / 1e3
