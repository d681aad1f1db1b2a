"""What a message costs that goes to many."""

from functools import partial
from statistics import median

from bench.figures import Table, cells, grouped, microseconds, middle, per_second, remarks
from bench.servers import TARGETS, available, generate, serve

WINDOW = 10  # messages under way at a time
RATE = 10  # messages a second, for the delays
SIZES = [(1, 10), (1, 100), (1, 500), (50, 10)]  # rooms and members
SECONDS = {"window": 2, "rate": 5}
QUICK = [
    "step 6 on Daphne",
    "step 6 on uvicorn",
    "tutorial, core Redis",
    "python-socketio, Redis",
    "bare websockets",
]
TITLE = "Fan-out: a message to many members"
NOTE = (
    "per second: deliveries. µs: CPU time of the server for a delivery; Redis: that of Redis. MB: "
    "the server's memory (USS) in the end. "
    f"p50, p99: delays in ms at {RATE} messages a second, where they were taken."
)
HEADINGS = ["server", "per second", "least–most", "µs", "Redis", "MB", "p50", "p99", ""]
COLOURS = {"step": "#0b6e4f", "tutorial,": "#b23a48"}
OTHER = "#7a7a7a"


def jobs(full):
    """Give what measures; the servers take turns, so that a busy minute hits all of them."""
    names = [name for name in TARGETS if name in QUICK or (full and TARGETS[name].step != 1)]
    names = [name for name in names if available(name)]
    for turn in range(3 if full else 2):
        for rooms, members in SIZES if full else [(1, 100)]:
            for name in names:
                yield partial(measure, name, rooms, members, "window", max(1, WINDOW // rooms))
                if members == 100 and (full or not turn):
                    yield partial(measure, name, rooms, members, "rate", RATE)


def measure(name, rooms, members, kind, figure):
    """Let one member of each room send, with so many under way or at a rate; return the run."""
    with serve(name, rooms=rooms, members=members) as serving:
        plan = {"rooms": [serving.members(room, members) for room in range(rooms)]}
        seconds = SECONDS[kind]
        found = generate(serving, plan | {kind: figure, "warm_up": 0.5, "seconds": seconds})
    return found | {"server": name, "rooms": rooms, "members": members, "kind": kind}


def tables(runs):
    rates = grouped([run for run in runs if run["kind"] == "rate"], "rooms", "members", "server")
    runs = [run for run in runs if run["kind"] == "window"]
    by_server = grouped(runs, "rooms", "members", "server")
    for rooms, members in dict.fromkeys((run["rooms"], run["members"]) for run in runs):
        title = f"{rooms} rooms of {members} members" if rooms > 1 else f"{members} members"
        rows = []
        for group, mine in by_server.items():
            if group[:2] != (rooms, members):
                continue
            delays = rates.get(group, [])
            rows.append(
                [
                    group[2],
                    *cells(mine, per_second),
                    middle(mine, microseconds),
                    middle(mine, lambda run: microseconds(run, "redis")),
                    middle(mine, lambda run: run["memory"] / 1e6, "{:.0f}"),
                    middle(delays, lambda run: run["delay"]["p50"]),
                    middle(delays, lambda run: run["delay"]["p99"]),
                    remarks(mine),
                ]
            )
        rows.sort(key=lambda row: -float(row[1].replace(",", "") or 0))
        yield Table(title, HEADINGS, rows)


def plot(runs):
    runs = [run for run in runs if run["members"] == 100 and run["kind"] == "window"]
    bars = []
    for (name,), mine in grouped(runs, "server").items():
        if figures := sorted(map(per_second, mine)):
            colour = COLOURS.get(name.split()[0], OTHER)
            bars.append((name, figures[0], median(figures), figures[-1], colour))
    return {
        "bars": sorted(bars, key=lambda bar: bar[2]),
        "label": "deliveries a second to 100 members, median, least and most",
    }
