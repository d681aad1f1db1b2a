"""The command `python -m faults 7 --minutes 5`, which is what `make faults 7 MINUTES=5` runs."""
# ruff: noqa: T201

import argparse
import asyncio
import os
import sys
import tempfile
from pathlib import Path

from course.errors import CourseError, say
from course.learn.processes import Processes
from course.steps import ROOT, STEPS

from .postgresql import start_postgresql
from .run import Run
from .servers import Site

FIRST = 6
MAKE = f"make faults {FIRST} MINUTES=1"
REPORT_EVERY = 5  # seconds


class Parser(argparse.ArgumentParser):
    def error(self, message):
        raise CourseError(f"{message[0].upper()}{message[1:]}. Type: {MAKE}")


def main(arguments):
    """Run what the arguments say; return 0 if the step did what the course says of it."""
    try:
        options = read_arguments(arguments)
        verdict = run_with_database(options)
    except CourseError as error:
        say(error)
        return 2
    if verdict is None:  # stopped
        return 130
    print_verdict(verdict)
    print(verdict.conclusion(options.step))
    return 0 if verdict.is_as_expected() else 1


def read_arguments(arguments):
    """Return the options; raise CourseError if something else has to be typed."""
    parser = Parser(prog="python -m faults", description="Run a step while faults happen.")
    add = parser.add_argument
    add("step", type=find_number, help=f"a number from {FIRST} on")
    add("--minutes", type=positive, default="1")
    add("--seed", type=int, default=1, help="the same seed, the same order of faults")
    add("--database", choices=["sqlite", "postgresql"], default="sqlite")
    add("--flushall-only", action="store_true", help="no other fault than FLUSHALL")
    add("--rate", type=positive, help="messages a second (default: 100 in step 6, then 50)")
    add("--every", type=positive, default="3", help="seconds from fault to fault (default 3)")
    options = parser.parse_args(arguments)
    if options.database == "postgresql" and options.step != max(STEPS):
        command = f"python -m faults {max(STEPS)} --database postgresql"
        raise CourseError(f"Only the last step runs on PostgreSQL. Type: {command}")
    return options


def find_number(text):
    """Return the number of a step that has faults."""
    numbers = [f"{number}" for number in STEPS if number >= FIRST]
    if text not in numbers:
        steps = f"steps {numbers[0]} to {numbers[-1]}"
        raise CourseError(f"Faults are for {steps}, not for {text!r}. Type: {MAKE}")
    return int(text)


def positive(text):
    try:
        number = float(text)
    except ValueError:
        number = 0
    if not 0 < number < float("inf"):
        raise CourseError(f"{text!r} isn't a number above 0. Type: {MAKE}")
    return number


def run_with_database(options):
    """Return the Verdict of a run, None if a signal stopped it; no process is left either way."""
    with tempfile.TemporaryDirectory(prefix="faults-") as folder, Processes() as processes:
        folder, step = Path(folder), STEPS[options.step]
        if options.database == "sqlite":
            variables = {
                "PYTHONPATH": str(ROOT),
                "DJANGO_SETTINGS_MODULE": "faults.settings",
                "FAULTS_DATABASE": str(folder / "db.sqlite3"),
            }
        else:
            variables = {
                "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'deploy'}",
                "DJANGO_SETTINGS_MODULE": "mychannels_deploy.settings",
                "DATABASE_URL": start_postgresql(processes, folder),
            }
        print(f"{step.name} on {options.database}, {options.minutes:g} minutes of faults")
        return asyncio.run(watch(Run(options, Site(processes, step, folder, variables))))


async def watch(run):
    """Return the Verdict of a Run, None if a signal stops it; print lines of progress."""
    running, next_report = asyncio.create_task(run.run()), 0
    while not running.done():
        if run.site.processes.stopped and not running.cancelling():
            running.cancel()
        if run.seconds() >= next_report:
            next_report += REPORT_EVERY
            print(run.progress(), flush=True)
        await asyncio.wait([running], timeout=0.1)
    return None if running.cancelled() else running.result()


def print_verdict(verdict):
    print()
    for name, count, note in verdict.rows():
        print(f"{name:<13} {count:>7}  {note}".rstrip())
    for traceback in verdict.tracebacks[:1]:
        print(f"\nThe first traceback:\n{traceback}")
    print()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
