"""make bench: fan-out, measured side by side; results go into bench/results/."""

import json
import os
from datetime import UTC, datetime

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from bench.figures import RATE, WINDOW, is_complete, key, summarise
from bench.report import HEADINGS, RESULTS, cells, write_report
from bench.servers import TARGETS, available, generate, machine, serve
from course.steps import ROOT

QUICK = [
    "step 6 on Daphne",
    "step 6 on uvicorn",
    "tutorial, core Redis",
    "python-socketio, Redis",
    "bare websockets",
]


def bench():
    """Measure and print fan-out; return the exit status, 1 if something was lost on the way.

    FULL=1 in the environment means all targets, more members and more rounds; and the results are
    kept, in bench/results, and written into bench/README.md.
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
    if full:
        write_report()
    show(summarise(runs))
    return 0 if all(is_complete(run) for run in runs) else 1


def measure(name, members, number, seconds):
    """Measure a target, first as fast as it can, then at a fixed rate; return the figures."""
    found = {"target": name, "members": members, "round": number}
    for kind, load in [("capacity", {"window": WINDOW}), ("rate", {"rate": RATE})]:
        with serve(name, rooms=1, members=members) as serving:
            plan = {"rooms": [serving.members(0, members)], "warm_up": 1, "seconds": seconds}
            found[kind] = generate(serving, plan | load)
    return found


def show(rows):
    """Print a table for each number of members."""
    for members in dict.fromkeys(row["members"] for row in rows):
        title = f"One sender, {members} members; delays at {RATE} messages a second"
        table = Table(title=title, box=SIMPLE_HEAD, title_justify="left", padding=(0, 1, 0, 0))
        for heading in HEADINGS:
            table.add_column(heading, justify="left" if heading in {"server", ""} else "right")
        for row in rows:
            if row["members"] == members:
                table.add_row(*cells(row))
        Console().print(table)
