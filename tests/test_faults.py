"""`faults` runs each step from 6 on for ten seconds, and its judge notices what goes wrong."""

import re
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import psutil
import pytest
from conftest import ROOT, environ, wait_until

from course.steps import STEPS
from faults.judge import judge
from faults.servers import find_tracebacks

COMMAND = [sys.executable, "-m", "faults"]
NUMBERS = [number for number in STEPS if number >= 6]
KINDS = ["FLUSHALL", "Redis killed", "burst", "clients vanished", "reader stopped"]
KINDS += ["server 1 killed", "server 2 killed"]


def run_faults(number):
    """Run that step for ten seconds; return the completed process."""
    arguments = ["--minutes=0.15", "--every=1.3", "--rate=20"]
    if number == 6:  # whose other losses depend on the machine's speed
        arguments.append("--flushall-only")
    return subprocess.run(
        [*COMMAND, str(number), *arguments],
        cwd=ROOT,
        env=environ(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@pytest.fixture(scope="module")
def runs():
    """The runs of all steps, as futures, two at a time."""
    with ThreadPoolExecutor(2) as pool:
        yield {number: pool.submit(run_faults, number) for number in NUMBERS}
        pool.shutdown(cancel_futures=True)


@pytest.mark.parametrize("number", NUMBERS)
def test_step_does_what_is_expected_of_it(runs, number):
    run = runs[number].result()
    assert run.returncode == 0, run.stdout
    for kind in ["FLUSHALL"] if number == 6 else KINDS:
        assert f" x {kind}" in run.stdout


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signal_ends_the_run_and_all_that_it_started(number):
    process = subprocess.Popen(
        [*COMMAND, f"{NUMBERS[-1]}"],
        cwd=ROOT,
        env=environ(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    harness = psutil.Process(process.pid)
    wait_until(lambda: len(harness.children()) >= 3)  # Redis and two servers
    children = harness.children(recursive=True)
    process.send_signal(number)
    output, _ = process.communicate()
    assert process.returncode == 130, output
    assert "Traceback" not in output
    assert not any(child.is_running() for child in children)


@pytest.mark.parametrize(
    "arguments", [[], ["5"], ["six"], ["6", "7"], ["6", "MINUTES=0"], ["6", "MINUTES=x"]]
)
def test_wrong_arguments_get_one_line_that_says_what_to_type(make, arguments):
    result = make("faults", *arguments)
    said = [line for line in result.stderr.splitlines() if not line.startswith("make:")]
    assert result.returncode == 2
    assert len(said) == 1
    assert re.search(r"Type: make faults 6( MINUTES=1)?$", said[0])


STORED = [(1, "A"), (2, "B"), (3, "C")]


def arrive(*numbers):
    """Return what a client logs when those of the STORED messages arrive."""
    return [("message", *STORED[number - 1]) for number in numbers]


def judged(log=None, **differences):
    """Return the Verdict on one client in a run without any fault but the differences."""
    run = {"sent": {"A", "B", "C"}, "acked": set(STORED), "stored": STORED, "numbered": True}
    return judge(**run | differences, logs=[[("connect", 0), *(log or arrive(1, 2, 3))]])


def test_judge_finds_nothing_where_nothing_is_wrong():
    assert judged().is_as_expected()


@pytest.mark.parametrize(
    ("differences", "counts"),
    [
        ({"log": arrive(1, 2)}, {"not_delivered": 1}),
        ({"sent": {"A", "B", "C", "D"}}, {"not_stored": 1}),
        ({"acked": {*STORED[:2], (4, "C")}}, {"not_stored": 1}),
        ({"acked": set(STORED[:2])}, {"acked": 2}),
        ({"stored": [*STORED, (4, "A")]}, {"stored_twice": 1, "not_delivered": 1}),
        ({"stored": [*STORED[:2], (4, "C")]}, {"out_of_order": 1}),
        ({"log": arrive(1, 2, 2, 3)}, {"delivered_twice": 1}),
        ({"log": [*arrive(1, 2, 3), ("connect", 3), *arrive(3)]}, {"delivered_twice": 1}),
        ({"log": arrive(1, 3, 2)}, {"out_of_order": 2}),
        ({"log": [*arrive(1, 2, 3), ("synced", 2)]}, {"out_of_order": 1}),
    ],
)
def test_judge_notices(differences, counts):
    verdict = judged(**differences)
    assert not verdict.is_as_expected()
    assert {name: getattr(verdict, name) for name in counts} == counts


def test_sync_explains_a_repeat_once():
    log = [*arrive(1, 2), ("sync", 1), *arrive(3, 2, 3), ("synced", 3)]
    assert judged(log).is_as_expected()
    assert judged([*log, *arrive(2)]).delivered_twice == 1
    assert judged([*log[:-1], *arrive(2), log[-1]]).out_of_order > 0


@pytest.mark.parametrize(
    ("log", "counts"),
    [
        (arrive(1, 2, 3), {}),
        (arrive(1, 3), {"not_delivered": 1}),
        (arrive(1, 3, 2), {"out_of_order": 1}),
        (arrive(1, 2, 2, 3), {"delivered_twice": 1}),
        ([*arrive(1, 2), ("connect", 2), *arrive(1, 2, 3)], {}),
    ],
)
def test_judge_of_step_6_compares_what_each_connection_showed(log, counts):
    verdict = judged(log, acked=set(), numbered=False)
    names = ["not_delivered", "out_of_order", "delivered_twice"]
    assert {name: getattr(verdict, name) for name in names if getattr(verdict, name)} == counts
    assert verdict.is_as_expected() == (verdict.lost > 0)


def test_traceback_counts_if_it_passes_through_the_step():
    library = 'Traceback (most recent call last):\n  File "/lib/redis.py", line 1\nError: no Redis'
    step = 'Traceback (most recent call last):\n  File "/step/chat.py", line 1\nError: no room'
    chain = f"{library}\n\nDuring handling of the above exception, another occurred:\n\n{step}"
    log = f"started\n{library}\nalice joined\n{chain}\nalice left\n"
    assert find_tracebacks(log, "/step") == [chain]
