"""The benchmark counts what arrives, and its report says what the results say."""

import json
import sys

import pytest

pytest.importorskip("picows", reason="make bench has installed nothing yet")

from bench import report, run
from bench.figures import is_complete, name_incomplete
from bench.parts import PARTS, course_itself, fan_out, growth, idle, polling, saves
from bench.servers import POLLS, TARGETS, Target, generate, serve
from course.errors import CourseError

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


@pytest.mark.parametrize("plan", [{"window": 2}, {"window": None, "rate": 50}])
@pytest.mark.parametrize("name", ["bare websockets", "python-socketio", "step 6 on uvicorn"])
def test_everything_that_is_sent_arrives_and_is_counted(name, plan):
    figures = measure(name, **plan)
    assert figures["problems"] == {}
    assert figures["delivered"] == figures["expected"] == 3 * figures["sent"] > 0
    assert is_complete(figures)
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
    assert not is_complete(figures)


def test_message_that_is_lost_is_reported(monkeypatch):
    program = LOSSY.replace("TIMES", "int(count < 20 or number > 0)")
    monkeypatch.setitem(TARGETS, "lossy", Target((sys.executable, "-c", program, "{port}")))
    monkeypatch.setattr("bench.servers.LOAD", ["-m", "bench.load", "2"])
    figures = measure("lossy", window=None, rate=100)
    assert figures["delivered"] < figures["expected"]
    assert not is_complete(figures)


def test_member_that_gets_nothing_is_reported(monkeypatch):
    program = LOSSY.replace("TIMES", "number > 0")
    monkeypatch.setitem(TARGETS, "partial", Target((sys.executable, "-c", program, "{port}")))
    monkeypatch.setattr("bench.servers.LOAD", ["-m", "bench.load", "1"])
    figures = measure("partial")
    assert figures["problems"]["got no message"] == 1
    assert not is_complete(figures)


def test_member_that_is_closed_is_reported(monkeypatch):
    program = LOSSY.replace("TIMES", "1").replace("count += 1", "await members[-1].close()")
    monkeypatch.setitem(TARGETS, "closing", Target((sys.executable, "-c", program, "{port}")))
    monkeypatch.setattr("bench.servers.LOAD", ["-m", "bench.load", "1"])
    figures = measure("closing")
    assert figures["problems"]["closed with 1000"] == 1
    assert not is_complete(figures)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux counts the bytes of a socket")
def test_bytes_of_sockets_are_counted_with_what_clients_send():
    figures = measure("bare websockets", members=1, window=None, rate=50)
    frame = len('{"message": "#0.1.1234567890123#"}')
    assert figures["bytes"] > 2 * frame * figures["sent"]  # there and back
    assert figures["bytes"] < 4 * frame * figures["sent"]


def test_poller_counts_requests_and_sees_every_alert():
    figures = polling.measure_polls(clients=3, every=1, seconds=1.5)
    assert figures["delivered"] == figures["expected"] == 3 * figures["sent"] == 6
    assert figures["requests"] >= 3
    assert figures["bytes"] > 300 * figures["requests"]  # an answer, and what a browser sends
    assert 0 <= figures["delay"]["p50"] <= figures["delay"]["p99"]
    assert is_complete(figures)


def test_poller_that_is_refused_fails():
    with serve("step 1") as serving:
        plan = {"port": serving.ports[0], "cookies": ["sessionid=wrong"], "every": 1, "seconds": 1}
        with pytest.raises(CourseError, match="generator has failed"):
            generate(serving, plan, POLLS)


def test_storm_is_over_when_everybody_has_what_was_missed():
    figures = idle.measure_storm("step 6 on uvicorn", 5)
    assert figures["delivered"] == figures["expected"] == 5 * idle.MISSED
    assert figures["opening_seconds"] > 0


def test_memory_of_idle_sockets_is_measured():
    figures = idle.measure_idle("step 6 on uvicorn", 50)
    assert figures["memory"] > figures["memory_before"]
    assert is_complete(figures)


def test_members_of_two_processes_get_everything():
    figures = growth.measure("processes", 2, members=4, processes=2)
    assert figures["delivered"] == figures["expected"] == 4 * figures["sent"] > 0
    assert is_complete(figures)


def test_rooms_that_only_listen_get_nothing():
    figures = growth.measure("rooms", 2, rooms=2, members=2)
    assert figures["delivered"] == figures["expected"] == 2 * figures["sent"] > 0


def test_replay_brings_the_last_of_many():
    figures = growth.measure_replay(growth.REPLAYED + 5)
    assert figures["delivered"] == figures["expected"] == growth.REPLAYS * growth.REPLAYED


def test_plain_loop_saves():
    assert saves.measure_loop("sqlite")["acked"] > 0


GOOD = {
    "server": "x",
    "rooms": 1,
    "members": 100,
    "kind": "window",
    "delivered": 300,
    "expected": 300,
    "seconds": 1,
    "problems": {},
    "cpu": {"server": 0.03, "redis": 0.003},
    "memory": 60_000_000,
    "generator_cpu": 0.5,
    "delay": {"p50": 1, "p99": 2},
}


def rows_of(part, *runs):
    return [row for table in part.tables(list(runs)) for row in table.rows]


def test_figures_are_those_of_the_runs():
    fast, at_rate = GOOD | {"seconds": 0.5}, GOOD | {"kind": "rate"}
    assert rows_of(fan_out, GOOD, fast, GOOD, at_rate) == [
        ["x", "300", "300–600", "100.0", "10.0", "60", "1.0", "2.0", ""]
    ]


def test_step_without_sockets_is_in_no_fan_out(monkeypatch):
    monkeypatch.setattr(fan_out, "available", lambda name: True)
    names = {job.args[0] for job in fan_out.jobs(full=True)}
    assert names == TARGETS.keys() - {"step 1"}


def test_incomplete_run_counts_for_no_figure():
    bad = GOOD | {"delivered": 299, "seconds": 9}
    assert rows_of(fan_out, GOOD, bad)[0][1] == "300"
    assert name_incomplete([GOOD]) == ""
    assert name_incomplete([GOOD, bad]) == "1 of 2 runs were incomplete and don't count: x."


def test_server_without_a_complete_run_has_no_figures():
    bad = GOOD | {"problems": {"closed": 1}}
    assert rows_of(fan_out, bad) == [["x", *[""] * 7, "incomplete"]]


def test_run_that_the_generator_has_limited_is_marked():
    assert rows_of(fan_out, GOOD | {"generator_cpu": 0.9})[0][-1] == "limited by the generator"


def test_report_is_made_from_the_results():
    text = report.README.read_text()
    assert report.as_report(text, report.load_results()) == text


@pytest.mark.parametrize("name", PARTS)
def test_every_row_of_the_results_has_a_cell_for_each_heading(name):
    if result := report.load_results().get(name):
        for table in PARTS[name].tables(result["runs"]):
            assert {len(row) for row in table.rows} == {len(table.headings)}


def test_same_figures_make_the_same_plot(tmp_path):
    for name in ["one.svg", "two.svg"]:
        report.draw(fan_out.plot([GOOD]), tmp_path / name)
    assert (tmp_path / "one.svg").read_bytes() == (tmp_path / "two.svg").read_bytes()


def test_results_of_other_code_are_stale(monkeypatch, tmp_path):
    monkeypatch.setattr(report, "RESULTS", tmp_path)
    trees = report.key() | {"step06_persist_alerts": "another"}
    (tmp_path / "fan_out.json").write_text(json.dumps({"key": trees}))
    (sentence,) = report.find_stale()
    assert sentence.startswith("bench/results/fan_out.json is older than step06_persist_alerts.")


def test_part_that_does_not_exist_is_answered_with_those_that_do(monkeypatch):
    monkeypatch.setenv("ONLY", "everything")
    with pytest.raises(CourseError, match="There is no part 'everything', but: fan_out, saves"):
        run.bench("make bench")


def test_quick_results_are_kept_apart_and_what_is_lost_fails(monkeypatch, tmp_path):
    monkeypatch.setattr(run, "QUICK", tmp_path)
    monkeypatch.setenv("ONLY", "fan_out")
    monkeypatch.delenv("FULL", raising=False)
    for jobs, status in [([lambda: GOOD], 0), ([lambda: GOOD | {"expected": 301}], 1)]:
        monkeypatch.setattr(fan_out, "jobs", lambda full, jobs=jobs: jobs)
        assert run.bench("make bench") == status
    result = json.loads((tmp_path / "fan_out.json").read_text())
    assert result["runs"] == [GOOD | {"expected": 301}]
    assert result["machine"]["cores"] > 0
    assert result["machine"]["processor"]


def test_time_of_a_command_is_taken():
    assert course_itself.measure_command("collected", course_itself.STEPS[1])["seconds"] > 0
