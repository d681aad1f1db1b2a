"""How the cost of a message grows with members, rooms, history and processes."""

from functools import partial
from statistics import median

from bench.figures import Table, cells, grouped, microseconds, middle, per_second, remarks
from bench.servers import generate, serve

SERVER = "step 6 on Daphne"
WINDOW = 10  # messages under way
REPLAYS, REPLAYED = 20, 1000  # how often, and how many messages
TITLE = f"Growth: {SERVER}"
NOTE = (
    "µs: CPU time of the servers for a delivery, with "
    f"{WINDOW} messages under way. Rooms have 10 members each, who are all connected, and in one "
    f"room there is a message. History: {REPLAYS} clients get the last {REPLAYED} messages, one "
    "after the other; ms: until one that connects has them all; µs: to connect is part of it."
)


def jobs(full):
    for _ in range(3 if full else 1):
        for members in [10, 30, 100, 300, 1000] if full else [10, 100]:
            yield partial(measure, "members", members, members=members)
        for rooms in [1, 10, 50, 200] if full else [1, 20]:
            yield partial(measure, "rooms", rooms, rooms=rooms)
        for processes in [1, 2]:
            yield partial(measure, "processes", processes, members=100, processes=processes)
        for history in [1000, 10_000, 100_000] if full else [1000, 10_000]:
            yield partial(measure_replay, history)


def measure(what, size, rooms=1, members=10, processes=1):
    """Let one member of the first room send; return the run."""
    with serve(SERVER, rooms=rooms, members=members, processes=processes) as serving:
        plan = {"rooms": [serving.members(room, members) for room in range(rooms)], "talking": 1}
        found = generate(serving, plan | {"window": WINDOW, "warm_up": 0.5, "seconds": 2})
    return found | {"what": what, "size": size}


def measure_replay(history):
    """Let clients connect one after the other who lack the last messages; return the run."""
    with serve(SERVER, members=REPLAYS, history=history) as serving:
        query = f"?after={history - REPLAYED}"
        plan = {"rooms": [serving.members(0, REPLAYS, query)], "opening_at_once": 1}
        found = generate(serving, plan | {"missed": REPLAYED})
    return found | {"what": "history", "size": history}


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
            *cells(mine, replay_ms, "{:.0f}"),
            "" if mine else "incomplete",
        ]
        for (kind, size), mine in groups.items()
        if kind == "history"
    ]
    headings = ["messages stored", "µs", "least–most", "ms", "least–most", ""]
    yield Table("History", headings, rows)


def replay_ms(run):
    return run["opening_seconds"] / REPLAYS * 1e3


def plot(runs):
    lines = {}
    for (what, size), mine in grouped(runs, "what", "size").items():
        if mine:
            lines.setdefault(what, []).append((size, median(map(microseconds, mine))))
    return {"lines": lines, "label": "µs of CPU for a delivery"}
