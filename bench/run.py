"""make bench: the parts of the benchmark, run and shown; with FULL=1 their results are kept."""

import json
import os
import resource
from datetime import UTC, datetime

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from bench.figures import name_incomplete, tree_id
from bench.parts import PARTS
from bench.report import RESULTS, split_at_markers, step_10, write_report
from bench.servers import TARGETS, machine
from course.errors import CourseError
from course.steps import ROOT

QUICK = ROOT / "build" / "bench"
ROUNDS = 3  # of a part that is measured with care
WIDTH = 130  # of the widest table


def bench(command):
    """Measure and print; return the exit status, 1 if some run was incomplete.

    ONLY in the environment names one part; TARGETS, with semicolons between them, the servers.
    FULL=1 means more servers and sizes, and the results are kept in bench/results and written into
    the READMEs. ROUNDS is 3, unless everything is measured quickly. Raises CourseError for values
    that can't be used; `command` is what it tells the user to type.
    """
    full, only = bool(os.environ.get("FULL")), os.environ.get("ONLY")
    names = [name.strip() for name in os.environ.get("TARGETS", "").split(";") if name.strip()]
    rounds = os.environ.get("ROUNDS") or str(ROUNDS if full or only else 1)
    check(full, only, names, rounds, command)
    if full:
        split_at_markers(step_10().read_text())  # complains before half an hour has passed
    allow_many_sockets()
    complete = True
    console = Console(width=max(WIDTH, Console().width))  # so that no figure is cut
    with Progress(console=console) as progress:
        for name in [only] if only else PARTS:
            jobs = choose(PARTS[name], full, names)
            runs = measure(PARTS[name].TITLE, jobs * int(rounds), progress)
            keep(RESULTS if full else QUICK, name, runs, depends_on(PARTS[name], jobs))
            for table in PARTS[name].tables(runs):
                show(progress.console, table)
            if incomplete := name_incomplete(runs):
                progress.console.print(incomplete)
                complete = False
            if full:
                write_report()
    return 0 if complete else 1


def check(full, only, names, rounds, command):
    """Raise CourseError for options that can't be used."""
    if only and only not in PARTS:
        raise CourseError(
            f"There is no part {only!r}, only: {', '.join(PARTS)}. Type: {command} ONLY=fan_out"
        )
    if wrong := [name for name in names if name not in TARGETS]:
        raise CourseError(
            f"There is no server {wrong[0]!r}, only: {'; '.join(TARGETS)}. "
            f"Type: {command} TARGETS='step 10 on Daphne; bare websockets'"
        )
    if names and full:
        raise CourseError(
            f"FULL=1 keeps the results of all servers. Type: {command} TARGETS='{'; '.join(names)}'"
        )
    if not (rounds.isascii() and rounds.isdigit() and int(rounds)):
        raise CourseError(f"ROUNDS is {rounds!r}, not a number. Type: {command} ROUNDS=3")


def choose(part, full, names):
    """Return the jobs of one round; with names, those of these servers, in all sizes."""
    if not names:
        return list(part.jobs(full))
    return [job for job in part.jobs(full=True) if job.args[0] in names]


def allow_many_sockets():
    """Raise the limit of open files, for this process and those that it starts."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def measure(title, jobs, progress):
    """Run jobs one after the other; return the runs."""
    runs, task = [], progress.add_task(title, total=len(jobs))
    for job in jobs:
        runs.append(job())
        progress.advance(task)
    return runs


def depends_on(part, jobs):
    """Return the ids of what a part measures, by the path of its folder."""
    targets = [TARGETS[job.args[0]] for job in jobs if job.args[0] in TARGETS]
    paths = {target.folder.name if target.step else "bench/peers" for target in targets}
    return {path: tree_id(path) for path in sorted(paths | getattr(part, "READS", set()))}


def keep(folder, name, runs, key):
    """Write the runs of a part into a file, with what their figures depend on."""
    result = {
        "date": datetime.now(UTC).date().isoformat(),
        "machine": machine(),
        "key": key,
        "runs": runs,
    }
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{name}.json"
    new = file.with_suffix(".new")
    new.write_text(json.dumps(result, indent=1) + "\n")
    new.replace(file)


def show(console, table):
    shown = Table(title=table.title, box=SIMPLE_HEAD, title_justify="left", padding=(0, 1, 0, 0))
    for number, heading in enumerate(table.headings):
        shown.add_column(heading, justify="right" if table.has_figures(number) else "left")
    for row in table.rows:
        shown.add_row(*row)
    console.print(shown)
