# ruff: noqa: T201
"""The long form: `python -m tests.faults --minutes 30 --seed 7 --database postgresql`."""

import argparse
import asyncio
import json
import logging
import os
import platform
import signal
import sys
from dataclasses import replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from tests.postgresql_servers import find_postgresql

from .memory import quarters
from .run import Plan, run
from .world import APPLICATIONS

DATABASES = ["sqlite", "postgresql"]
PACKAGES = ["django", "channels", "daphne", "channels_redis", "redis", "psycopg", "websockets"]
TWIN_SECONDS = 60
COLUMNS = ["consumer", "database", "seconds", "sent", "acked", "stored", "deliveries"]
COLUMNS += ["lost", "twice", "out_of_order", "gaps", "reconnects"]


class Parser(argparse.ArgumentParser):
    def error(self, message):
        self.exit(2, f"{message} (see python -m tests.faults --help)\n")


def positive(text):
    number = float(text)
    if not 0 < number < float("inf"):
        raise ValueError
    return number


def read_arguments(arguments):
    """Return the options; wrong ones end the process with one line and exit status 2."""
    parser = Parser(prog="python -m tests.faults", description="Run step 6 under faults.")
    add = parser.add_argument
    add("--minutes", type=positive, default=5, help="how long there are faults (default 5)")
    add("--seed", type=int, default=1, help="the same seed, the same faults in the same order")
    add("--database", choices=DATABASES, default="sqlite")
    add("--consumer", choices=list(APPLICATIONS), default="step6")
    add("--rate", type=positive, default=20, help="messages a second (default 20)")
    add("--every", type=positive, default=3, help="seconds between two faults (default 3)")
    add("--burst", type=int, default=300, help="messages at once, as a fault (default 300)")
    add("--sockets", type=int, default=200, help="listeners at a third server (default 200)")
    add("--json", type=Path, help="a file for all figures")
    add("--no-naive", action="store_true", help="do without the naive twin")
    options = parser.parse_args(arguments)
    if options.sockets < 0:
        parser.error("--sockets has to be 0 or more")
    if options.json and not options.json.absolute().parent.is_dir():
        parser.error(f"there is no folder for {options.json}")
    if options.database == "postgresql" and not find_postgresql():
        parser.error("PostgreSQL is missing: install it (postgresql), or take --database sqlite")
    return options


def main(arguments=None):
    """Run it; return the exit status: 1 when there are problems."""
    options = read_arguments(arguments)
    names = ["database", "consumer", "seed", "rate", "every", "burst", "sockets"]
    plan = Plan(seconds=options.minutes * 60, **{name: getattr(options, name) for name in names})
    results = [run(plan, lambda line: print(line, flush=True))]
    if options.consumer == "step6" and not options.no_naive:
        seconds = min(plan.seconds, TWIN_SECONDS)
        results.append(run(replace(plan, consumer="naive", seconds=seconds, sockets=0)))
    print_results(results)
    if options.json:
        options.json.write_text(json.dumps(as_json(options, results), indent=1) + "\n")
    return 1 if results[0].problems else 0


def print_results(results):
    rows = [COLUMNS, *([str(getattr(result, name)) for name in COLUMNS] for result in results)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        print("  ".join(word.rjust(width) for word, width in zip(row, widths, strict=True)))
    result = results[0]
    for name in ["faults", "closes", "errors", "tracebacks"]:
        counts = getattr(result, name)
        print(f"{name}:", ", ".join(f"{n} x {key}" for key, n in sorted(counts.items())) or "none")
    if result.memory:
        first, last, most = quarters(result.memory)
        print(f"memory in MB: first quarter {first}, last quarter {last}, most {most}")
        print(f"the reader that never reads was dropped {result.dropped} times")
    for problem in result.problems:
        print(f"PROBLEM: {problem}")


def as_json(options, results):
    """Return all figures, and what they were taken with."""
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "python": platform.python_version(),
        "versions": {name: version(name) for name in PACKAGES},
        "cores": os.cpu_count(),
        "options": vars(options) | {"json": str(options.json)},
        "results": [vars(result) for result in results],
    }


def end(number, frame):
    """End as a signal asks for: whatever was started is ended on the way out, undisturbed."""
    for each in [signal.SIGINT, signal.SIGTERM]:
        signal.signal(each, signal.SIG_IGN)
    try:
        asyncio.get_running_loop().call_soon_threadsafe(sys.exit, 128 + number)
    except RuntimeError:  # no loop
        sys.exit(128 + number)


if __name__ == "__main__":
    logging.getLogger("asyncio").setLevel(logging.ERROR)  # it warns of sockets that we have cut
    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
    sys.exit(main())
