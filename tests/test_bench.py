"""The benchmark counts what arrives, and its report says what the results say."""

import json
import sys
from copy import deepcopy

import pytest

pytest.importorskip("picows", reason="make bench has installed nothing yet")

from bench import report
from bench.figures import is_complete, summarise
from bench.servers import TARGETS, Target, generate, serve

LOSSY = """
import asyncio, sys
from websockets.asyncio.server import serve

members, count = [], 0

async def chat(socket):
    global count
    members.append(socket)
    async for text in socket:
        count += 1
        for number, member in enumerate(members):
            for _ in range(TIMES):
                await member.send(text)

async def main():
    async with serve(chat, "127.0.0.1", int(sys.argv[1])):
        await asyncio.Future()

asyncio.run(main())
"""


def measure(name, members=3, **plan):
    plan = {"window": 2, "warm_up": 0.1, "seconds": 0.5} | plan
    with serve(name, members=members) as serving:
        return generate(serving, plan | {"rooms": [serving.members(0, members)]})


def run_of(figures):
    return {"target": "x", "members": 3, "round": 0, "capacity": figures, "rate": figures}


@pytest.mark.parametrize("plan", [{"window": 2}, {"window": None, "rate": 50}])
@pytest.mark.parametrize("name", ["bare websockets", "python-socketio", "step 6 on uvicorn"])
def test_everything_that_is_sent_arrives_and_is_counted(name, plan):
    figures = measure(name, **plan)
    assert figures["problems"] == {}
    assert figures["delivered"] == figures["expected"] == 3 * figures["sent"] > 0
    assert is_complete(run_of(figures))
    assert figures["cpu"]["server"] > 0 or "rate" in plan  # which may take less than a tick


def test_acks_are_counted():
    figures = measure("step 6 on Daphne", acks=True)
    assert figures["acked"] == figures["sent"] > 0
    assert figures["ack_delay"]["p50"] > 0


def test_message_that_comes_twice_is_reported(monkeypatch):
    program = LOSSY.replace("TIMES", "1 + (count % 10 == 9)")
    twice = Target((sys.executable, "-c", program, "{port}"))
    monkeypatch.setitem(TARGETS, "twice", twice)
    figures = measure("twice")
    assert figures["problems"]["out of order"] > 0
    assert not is_complete(run_of(figures))


def test_message_that_is_lost_is_reported(monkeypatch):
    program = LOSSY.replace("TIMES", "int(count < 20 or number > 0)")
    monkeypatch.setitem(TARGETS, "lossy", Target((sys.executable, "-c", program, "{port}")))
    monkeypatch.setattr("bench.servers.LOAD", ["-m", "bench.load", "2"])
    figures = measure("lossy", window=None, rate=100)
    assert figures["delivered"] < figures["expected"]
    assert not is_complete(run_of(figures))


GOOD = {
    "delivered": 300,
    "expected": 300,
    "seconds": 1,
    "problems": {},
    "cpu": {"server": 0.03, "redis": 0.003},
    "generator_cpu": 0.5,
    "delay": {"p50": 1, "p99": 2},
}


def test_incomplete_run_counts_for_no_figure():
    bad = deepcopy(GOOD) | {"delivered": 299}
    (row,) = summarise([run_of(GOOD), run_of(bad)])
    assert row["incomplete"] == 1
    assert row["deliveries"] == {"median": 300, "min": 300, "max": 300}
    assert "1 incomplete" in report.cells(row)


def test_target_without_a_complete_run_has_no_figures():
    (row,) = summarise([run_of(GOOD | {"problems": {"closed": 1}})])
    assert report.cells(row) == ["x", *[""] * 6, "1 incomplete"]


def test_run_that_the_generator_has_limited_is_marked():
    (row,) = summarise([run_of(GOOD | {"generator_cpu": 0.9})])
    assert report.cells(row)[-1] == "limited by the generator"


def test_report_is_made_from_the_results():
    text = report.README.read_text()
    assert report.as_report(text, report.load_results()) == text


def test_same_figures_make_the_same_plot(tmp_path):
    rows = summarise([run_of(GOOD) | {"members": 100}])
    for name in ["one.svg", "two.svg"]:
        report.draw(rows, tmp_path / name)
    assert (tmp_path / "one.svg").read_bytes() == (tmp_path / "two.svg").read_bytes()


def test_results_of_other_code_are_stale(monkeypatch, tmp_path):
    monkeypatch.setattr(report, "RESULTS", tmp_path)
    tree = {**report.key(), "step06_persist_alerts": "another"}
    (tmp_path / "fan_out.json").write_text(json.dumps({"key": tree}))
    (sentence,) = report.find_stale()
    assert sentence.startswith("bench/results/fan_out.json is older than step06_persist_alerts.")
