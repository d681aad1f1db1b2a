import json
import signal
import subprocess
import sys

import psutil
import pytest

from .faults.client import Client, Ledger
from .faults.judge import Message, Result, judge
from .faults.run import KINDS, Plan, run
from .faults.world import STEP
from .postgresql_servers import find_postgresql, need_postgresql
from .servers import TIMEOUT, wait_until

COMMAND = [sys.executable, "-m", "tests.faults"]
SHORT = ["--minutes=0.12", "--every=0.9", "--rate=20", "--burst=200", "--sockets=0", "--no-naive"]
RUNS = {
    "sqlite": ["--database", "sqlite"],
    "postgresql": ["--database", "postgresql"],
    "naive": ["--consumer", "naive", "--minutes", "0.05"],
}
SENT = {"a": ("alice", "A"), "b": ("bob", "B"), "c": ("alice", "C")}
ACKED = {"a": {1}, "b": {2}, "c": {3}}
STORED = [Message(1, "a", "alice", "A"), Message(2, "b", "bob", "B"), Message(3, "c", "alice", "C")]


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """A function that returns the figures of one of RUNS, which go on at the same time."""
    folder = tmp_path_factory.mktemp("faults")
    processes = {}
    for name, arguments in RUNS.items():
        if name == "postgresql" and not find_postgresql():
            continue
        command = [*COMMAND, *SHORT, *arguments, "--json", folder / name]
        processes[name] = subprocess.Popen(
            command, cwd=STEP, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )

    def figures_of(name):
        output, _ = processes[name].communicate()
        assert (folder / name).exists(), output
        return json.loads((folder / name).read_text())["results"][0]

    yield figures_of
    for process in processes.values():
        process.terminate()
        process.wait()


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_nothing_is_lost_whatever_fails(runs, database):
    if database == "postgresql":
        need_postgresql()
    figures = runs(database)
    assert figures["problems"] == []
    assert figures["sent"] == figures["acked"] == figures["stored"] > 0
    assert figures["lost"] == figures["twice"] == figures["out_of_order"] == 0
    assert sorted(figures["faults"]) == sorted(KINDS)


def test_naive_twin_loses_messages(runs):
    assert runs("naive")["lost"] > 0, "The harness proves nothing: the naive twin lost nothing."


def test_message_is_not_acked_and_lost_when_the_database_is_locked_for_too_long():
    impatience = (("SQLITE_TIMEOUT", "0.5"),)
    plan = Plan(seconds=1, every=1, rate=20, kinds=("database away",), environ=impatience)
    result = run(plan)
    assert result.closes["4503"] + result.errors.total() > 0
    assert result.problems == []
    assert result.sent == result.acked == result.stored > 0


def test_signal_ends_the_harness_and_all_that_it_has_started():
    process = subprocess.Popen(
        COMMAND, cwd=STEP, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    harness = psutil.Process(process.pid)
    wait_until(lambda: len(harness.children()) >= 4)
    children = harness.children(recursive=True)
    process.send_signal(signal.SIGTERM)
    output, _ = process.communicate()
    assert (output, process.returncode) == ("", 128 + signal.SIGTERM)
    _, alive = psutil.wait_procs(children, TIMEOUT)  # what has ended may wait to be reaped
    assert alive == []


@pytest.mark.parametrize(
    "arguments", ["--database oracle", "--minutes 0", "--sockets -1", "--json /nowhere/file", "x"]
)
def test_wrong_option_is_answered_in_one_line(arguments):
    command = [*COMMAND, *arguments.split()]
    process = subprocess.run(command, cwd=STEP, capture_output=True, text=True)
    assert (process.returncode, process.stdout) == (2, "")
    assert len(process.stderr.splitlines()) == 1


def judged(sent=SENT, acked=ACKED, stored=STORED, taken=STORED):
    """Return the Result of a run with one client."""
    result = Result("step6", "sqlite", seed=1)
    judge(result, sent, acked, stored, {"bob": taken})
    return result


def test_judge_finds_no_problem_where_there_is_none():
    assert judged().problems == []


@pytest.mark.parametrize(
    ("run", "problem"),
    [
        ({"stored": STORED[:2], "taken": STORED[:2]}, "sent and not stored"),
        ({"stored": STORED[:2], "taken": STORED[:2]}, "acked and not stored"),
        ({"acked": {"a": {1}, "b": {2}}}, "never acked"),
        ({"acked": ACKED | {"b": {2, 3}}}, "isn't theirs"),
        ({"stored": [*STORED, STORED[0]._replace(seq=4)]}, "stored twice"),
        ({"stored": [*STORED, Message(4, "d", "bob", "D")]}, "never sent"),
        ({"stored": [STORED[0]._replace(text="?"), *STORED[1:]]}, "another text or user"),
        ({"stored": [*STORED[:2], STORED[2]._replace(seq=4)]}, "have holes"),
        ({"taken": STORED[:2]}, "bob lacks 1 messages"),
        ({"taken": [STORED[1], STORED[0], STORED[2]]}, "bob has 2 messages out of place"),
        ({"taken": [*STORED, STORED[2]]}, "bob has 1 messages out of place"),
    ],
)
def test_judge_finds_the_problem(run, problem):
    assert any(problem in sentence for sentence in judged(**run).problems)


def received(*seqs):
    """Return a client that is up to date with an empty room, and then gets those numbers."""
    client = Client("client", "bob", "session", ["127.0.0.1:1"], Ledger(), seed=1)
    client.previous, client.asked, client.send_soon = 0, None, list
    client.receive({"msg_type": "synced", "seq": 0})
    for seq in seqs:
        client.receive(
            {"msg_type": "message", "seq": seq, "client_id": "", "username": "", "message": ""}
        )
    return client


@pytest.mark.parametrize(
    ("seqs", "taken", "twice", "out_of_order", "gaps"),
    [
        ([1, 2, 3], 3, 0, 0, 0),
        ([1, 2, 2, 3], 3, 1, 1, 0),
        ([1, 3, 2], 2, 0, 1, 1),
        ([1, 3, 4], 1, 0, 1, 1),
        ([1, 2, 3, 1, 2, 3], 3, 3, 1, 0),
        ([1, 3, 2, 3, 4], 4, 0, 1, 1),
    ],
)
def test_client_counts_what_is_not_next(seqs, taken, twice, out_of_order, gaps):
    client = received(*seqs)
    assert len(client.taken) == taken
    assert (client.twice, client.out_of_order, client.gaps) == (twice, out_of_order, gaps)


@pytest.mark.parametrize("seq", [1, 3])
def test_client_counts_a_wrong_synced(seq):
    client = received(1, 2)
    client.receive({"msg_type": "synced", "seq": seq})
    assert client.out_of_order + len(client.ledger.problems) == 1
