"""How the cost of a message grows with members, rooms, history and processes."""

from functools import partial

from bench.figures import Table, cells, grouped, microseconds, middle, per_second, remarks
from bench.servers import TARGETS, generate, serve

SERVER = "step 10 on Daphne"
WINDOW = 10  # messages under way
SECONDS = 1.5  # of a measurement
REPLAYS, REPLAYED = 20, 1000  # clients that come back, and the messages that each of them gets
TITLE = f"Growth: {SERVER}"
NOTE = (
    f"µs: CPU time of the servers for a delivery, with {WINDOW} messages under way. Rooms: each "
    "has 10 members with open sockets, and only one member of one room sends. Processes: 100 "
    f"members in one room. History: {REPLAYS} clients get the last {REPLAYED} messages, one client "
    "after the other; ms: from connecting until one has them all; µs: with the cost of connecting."
)


def jobs(full):
    for members in [10, 100, 1000] if full else [10, 100]:
        yield partial(measure, SERVER, "members", members, members=members)
    for rooms in [1, 100] if full else [50]:
        yield partial(measure, SERVER, "rooms", rooms, rooms=rooms)
    for processes in [1, 2] if full else [2]:
        yield partial(measure, SERVER, "processes", processes, members=100, processes=processes)
    for history in [1000, 100_000] if full else [1000]:
        yield partial(measure_replay, SERVER, history)


def measure(name, what, size, rooms=1, members=10, processes=1):
    """Let one member of the first room send; return the run."""
    with serve(TARGETS[name], rooms=rooms, members=members, processes=processes) as serving:
        plan = {"rooms": [serving.members(room, members) for room in range(rooms)], "talking": 1}
        found = generate(serving, plan | {"window": WINDOW, "warm_up": 0.5, "seconds": SECONDS})
    return found | {"server": name, "what": what, "size": size}


def measure_replay(name, history):
    """Let clients connect, one after the other, who lack the last messages; return the run."""
    with serve(TARGETS[name], members=REPLAYS, history=history) as serving:
        query = f"?after={history - REPLAYED}"
        plan = {"rooms": [serving.members(0, REPLAYS, query)], "opening_at_once": 1}
        found = generate(serving, plan | {"missed": REPLAYED})
    return found | {"server": name, "what": "history", "size": history}


def tables(runs):
    groups = grouped(runs, "what", "size")
    for what in ["members", "rooms", "processes"]:
        rows = [
            [
                f"{size:,}",
                *cells(mine, microseconds, "{:.0f}"),
                middle(mine, per_second, "{:,.0f}"),
                remarks(mine),
            ]
            for (kind, size), mine in groups.items()
            if kind == what
        ]
        yield Table(what.capitalize(), [what, "µs", "least–most", "per second", ""], rows)
    rows = [
        [
            f"{size:,}",
            *cells(mine, microseconds, "{:.0f}"),
            *cells(mine, lambda run: run["opening_seconds"] / REPLAYS * 1e3, "{:.0f}"),
            "" if mine else "incomplete",
        ]
        for (kind, size), mine in groups.items()
        if kind == "history"
    ]
    headings = ["messages stored", "µs", "least–most", "ms", "least–most", ""]
    yield Table("History", headings, rows)
