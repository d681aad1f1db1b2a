"""make bench: the parts of the benchmark, run and shown; with FULL=1 their results are kept."""

import json
import os
import resource
from datetime import UTC, datetime

from rich.box import SIMPLE_HEAD
from rich.progress import Progress
from rich.table import Table

from bench.figures import key, name_incomplete
from bench.parts import PARTS
from bench.report import RESULTS, write_report
from bench.servers import LIMITS, machine
from course.errors import CourseError
from course.steps import ROOT

QUICK = ROOT / "build" / "bench"


def bench(command):
    """Measure and print; return the exit status, 1 if something was lost on the way.

    ONLY in the environment names one part. FULL=1 means more servers, sizes and rounds; and the
    results are kept, in bench/results, and written into bench/README.md. Raises CourseError for a
    part that doesn't exist; `command` is what it tells the user to type.
    """
    full, only = bool(os.environ.get("FULL")), os.environ.get("ONLY")
    if only and only not in PARTS:
        raise CourseError(
            f"There is no part {only!r}, but: {', '.join(PARTS)}. Type: {command} ONLY=fan_out"
        )
    allow_many_sockets()
    complete = True
    with Progress() as progress:
        for name in [only] if only else PARTS:
            runs = measure(PARTS[name], full, progress)
            keep(RESULTS if full else QUICK, name, runs)
            for table in PARTS[name].tables(runs):
                show(progress.console, table)
            if incomplete := name_incomplete(runs):
                progress.console.print(incomplete)
                complete = False
    if full:
        write_report()
    return 0 if complete else 1


def allow_many_sockets():
    """Raise the limit of open files, for this process and those that it starts."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def measure(part, full, progress):
    """Run what a part measures, one after the other; return the runs."""
    jobs, runs = list(part.jobs(full)), []
    task = progress.add_task(part.TITLE, total=len(jobs))
    for job in jobs:
        runs.append(job())
        progress.advance(task)
    return runs


def keep(folder, name, runs):
    """Write the runs of a part into a file, with what their figures depend on."""
    result = {
        "date": datetime.now(UTC).date().isoformat(),
        "machine": machine(),
        "key": key(),
        "limits": f"{', '.join(LIMITS)}: as good as none",
        "runs": runs,
    }
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{name}.json"
    new = file.with_suffix(".new")
    new.write_text(json.dumps(result, indent=1) + "\n")
    new.replace(file)


def show(console, table):
    shown = Table(title=table.title, box=SIMPLE_HEAD, title_justify="left", padding=(0, 1, 0, 0))
    for heading in table.headings:
        left = heading in {table.headings[0], "", "database"}
        shown.add_column(heading, justify="left" if left else "right")
    for row in table.rows:
        shown.add_row(*row)
    console.print(shown)
