"""make bench: fan-out, measured side by side; results go into bench/results/."""

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from bench.servers import TARGETS, available, generate, machine, serve
from course.git import tree_of
from course.steps import ROOT, STEPS

RESULTS = Path(__file__).with_name("results")
LIMITED = 0.85  # of a core: a generator that is so busy has limited the run
QUICK = [
    "step 6 on Daphne",
    "step 6 on uvicorn",
    "tutorial, core Redis",
    "python-socketio, Redis",
    "bare websockets",
]
WINDOW = 10  # messages under way at a time
RATE = 10  # messages a second, for the delays


def bench():
    """Measure and print fan-out; return the exit status, 1 if something was lost on the way.

    FULL=1 in the environment means all targets, more members and rounds, and
    results that are kept: in bench/results, not build/bench.
    """
    full = bool(os.environ.get("FULL"))
    names = [name for name in TARGETS if (full or name in QUICK) and available(name)]
    sizes, rounds = ([10, 100, 500], 3) if full else ([100], 2)
    seconds = 3 if full else 2
    runs = []
    with Progress() as progress:
        task = progress.add_task("fan-out", total=len(names) * len(sizes) * rounds)
        for number in range(rounds):
            for size in sizes:
                for name in names:  # A B A B, so that a busy minute hits all of them
                    runs.append(measure(name, size, number, seconds))
                    progress.advance(task)
    result = {
        "date": datetime.now(UTC).date().isoformat(),
        "machine": machine(),
        "key": key(),
        "limits": "FRAMES_AT_ONCE, FRAMES_PER_SECOND, SOCKETS_PER_USER and BYTES_PER_SOCKET raised",
        "runs": runs,
    }
    folder = RESULTS if full else ROOT / "build" / "bench"
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "fan_out.json"
    file.write_text(json.dumps(result, indent=1) + "\n")
    show(summarise(runs))
    return 0 if all(is_complete(run) for run in runs) else 1


def key():
    """Return the ids of the trees that are measured."""
    return {folder.name: tree_of(folder) for folder in [*STEPS.values(), ROOT / "bench" / "peers"]}


def measure(name, members, number, seconds):
    """Measure a target, first as fast as it can, then at a fixed rate; return the figures."""
    found = {"target": name, "members": members, "round": number}
    for kind, load in [("capacity", {"window": WINDOW}), ("rate", {"rate": RATE})]:
        with serve(name, rooms=1, members=members) as serving:
            plan = {"rooms": [serving.members(0, members)], "warm_up": 1, "seconds": seconds}
            found[kind] = generate(serving, plan | load)
    return found


def is_complete(run):
    """Tell whether all that was sent has arrived, once each and in order."""
    kinds = [run["capacity"], run["rate"]]
    return all(k["delivered"] == k["expected"] > 0 and not k["problems"] for k in kinds)


def summarise(runs):
    """Return a row for each target and number of members, from the runs that are complete."""
    rows = []
    for name, members in dict.fromkeys((run["target"], run["members"]) for run in runs):
        mine = [run for run in runs if (run["target"], run["members"]) == (name, members)]
        whole = [run for run in mine if is_complete(run)]
        row = {"target": name, "members": members, "incomplete": len(mine) - len(whole)}
        if whole:
            capacity = [run["capacity"] for run in whole]
            row |= {
                "deliveries": spread(c["delivered"] / c["seconds"] for c in capacity),
                "server_us": spread(c["cpu"]["server"] / c["delivered"] * 1e6 for c in capacity),
                "redis_us": spread(
                    c["cpu"].get("redis", 0) / c["delivered"] * 1e6 for c in capacity
                ),
                "p50": spread(run["rate"]["delay"]["p50"] for run in whole),
                "p99": spread(run["rate"]["delay"]["p99"] for run in whole),
                "limited": any(c["generator_cpu"] > LIMITED for c in capacity),
            }
        rows.append(row)
    return rows


def spread(figures):
    """Return the median, the least and the most."""
    figures = list(figures)
    return {"median": median(figures), "min": min(figures), "max": max(figures)}


def show(rows):
    """Print a table."""
    table = Table(title=f"One sender; the delays at {RATE} messages a second; CPU is µs a delivery")
    for heading in ["target", "members", "deliveries/s", "server", "Redis", "p50 ms", "p99 ms", ""]:
        table.add_column(heading, justify="left" if heading in {"target", ""} else "right")
    for row in rows:
        if "deliveries" not in row:
            table.add_row(row["target"], str(row["members"]), *[""] * 5, "incomplete")
            continue
        low, high = (f"{row['deliveries'][end]:,.0f}" for end in ("min", "max"))
        notes = ["limited by the generator"] if row["limited"] else []
        notes += [f"{row['incomplete']} incomplete"] if row["incomplete"] else []
        figures = [f"{row['deliveries']['median']:,.0f} ({low}–{high})"]
        figures += [f"{row[name]['median']:.1f}" for name in ("server_us", "redis_us")]
        figures += [f"{row[name]['median']:.1f}" for name in ("p50", "p99")]
        table.add_row(row["target"], str(row["members"]), *figures, ", ".join(notes))
    Console().print(table)
