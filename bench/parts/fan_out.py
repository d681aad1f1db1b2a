"""What a message to many members costs."""

from functools import partial
from itertools import pairwise
from statistics import median

from bench.figures import (
    Table,
    cells,
    grouped,
    is_complete,
    microseconds,
    middle,
    per_second,
    ratio,
    remarks,
)
from bench.servers import TARGETS, available, generate, serve

WINDOW = 10  # messages under way in all
RATE = 10  # messages a second, for the delays
SECONDS = 1.5  # of a measurement
SIZES = [(1, 100), (50, 10)]  # rooms and members
TUTORIAL = "tutorial, core Redis"
ON_DAPHNE = [f"step {number} on Daphne" for number in [4, 5, 6, 7, 8, 10]]
ON_UVICORN = ["step 8 on uvicorn", "step 10 on uvicorn"]
BEFORE = {later: earlier for steps in [ON_DAPHNE, ON_UVICORN] for earlier, later in pairwise(steps)}
QUICK = ["step 10 on Daphne", "step 10 on uvicorn", TUTORIAL, "python-socketio, Redis"]
QUICK += ["bare websockets"]
TITLE = "Fan-out: a message to many members"
NOTE = (
    "per second: deliveries. × tutorial: compared with the tutorial's design on core Redis; × "
    "before: with the step that is measured before it on the same server. µs: CPU time of the "
    "server for a delivery; Redis: that of Redis. MB: the server's memory (USS) at the end. "
    f"p50, p99: delays in ms at {RATE} messages a second, in one room."
)
HEADINGS = ["server", "per second", "least–most", "× tutorial", "× before", "µs", "Redis", "MB"]
HEADINGS += ["p50", "p99", ""]
COLOURS = {"step": "#0b6e4f", "tutorial,": "#b23a48"}
OTHER = "#7a7a7a"


def jobs(full):
    steps = [*ON_DAPHNE, *ON_UVICORN]
    names = [name for name in TARGETS if name in steps or not TARGETS[name].step]
    for rooms, members in SIZES if full else SIZES[:1]:
        for name in names if full else QUICK:
            if available(name):
                yield partial(measure, name, rooms, members, delays=rooms == 1)


def measure(name, rooms, members, delays=False, target=None):
    """Let one member of each room send, with WINDOW messages under way; return the run.

    With `delays`, the delays are those of messages that are then sent at RATE.
    """
    with serve(target or TARGETS[name], rooms=rooms, members=members) as serving:
        plan = {"rooms": [serving.members(room, members) for room in range(rooms)], "warm_up": 0.5}
        found = generate(serving, plan | {"window": max(1, WINDOW // rooms), "seconds": SECONDS})
        if delays:
            at_rate = generate(serving, plan | {"rate": RATE, "seconds": 3})
            found["delay"] = at_rate["delay"]
            if not is_complete(at_rate):
                found["problems"]["incomplete at a fixed rate"] = 1
    return found | {"server": name, "rooms": rooms, "members": members, "delays": delays}


def tables(runs):
    groups = grouped(runs, "rooms", "members", "server")
    for size in dict.fromkeys(group[:2] for group in groups):
        rows = []
        for (*its_size, name), mine in groups.items():
            if tuple(its_size) != size:
                continue
            with_delays = [run for run in mine if run["delays"]]
            rows.append(
                [
                    name,
                    *cells(mine, per_second),
                    ratio(mine, groups.get((*size, TUTORIAL)), per_second),
                    ratio(mine, groups.get((*size, BEFORE.get(name))), per_second),
                    middle(mine, microseconds),
                    middle(mine, lambda run: microseconds(run, "redis")),
                    middle(mine, lambda run: run["memory"] / 1e6, "{:.0f}"),
                    middle(with_delays, lambda run: run["delay"]["p50"]),
                    middle(with_delays, lambda run: run["delay"]["p99"]),
                    remarks(mine),
                ]
            )
        rows.sort(key=lambda row: -float(row[1].replace(",", "") or 0))
        yield Table(title_of(*size), HEADINGS, rows)


def title_of(rooms, members):
    return f"{rooms} rooms of {members}" if rooms > 1 else f"{members} members"


def plot(runs):
    runs = [run for run in runs if run["members"] == 100]
    bars = []
    for (name,), mine in grouped(runs, "server").items():
        if figures := sorted(map(per_second, mine)):
            colour = COLOURS.get(name.split()[0], OTHER)
            bars.append((name, figures[0], median(figures), figures[-1], colour))
    return {
        "bars": sorted(bars, key=lambda bar: bar[2]),
        "label": "deliveries a second to 100 members, median, least and most",
    }
