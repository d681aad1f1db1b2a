"""The benchmark counts what arrives, and its report says what the results say."""

import json
import os
import subprocess
import sys
from importlib.util import find_spec

import pytest
from conftest import tree_of

pytest.importorskip("picows", reason="make bench has installed nothing yet")

from bench import report, run
from bench.__main__ import main
from bench.figures import is_complete, name_incomplete, tree_id
from bench.parts import (
    PARTS,
    catch_up,
    changes,
    course_itself,
    fan_out,
    growth,
    idle,
    polling,
    speed,
)
from bench.servers import (
    POLLS,
    TARGETS,
    Serving,
    Target,
    available,
    filled_database,
    generate,
    serve,
    with_database,
)
from course.errors import CourseError
from course.learn.browser import find_browser
from course.steps import STEPS
from course.venv import PYTHON, environ

CHAT = """
import asyncio, json, sys, uuid
from websockets.asyncio.server import serve

members, count, client_ids = [], 0, set()

async def chat(socket):
    global count
    members.append(socket)
    async for text in socket:
        count += 1
        client_id = uuid.UUID(json.loads(text)["client_id"])
        if client_id in client_ids:
            await socket.send('{"msg_type": "error", "code": "repeated"}')
        client_ids.add(client_id)
        for number, member in enumerate(members):
            for _ in range(TIMES):
                await member.send(text)

async def main():
    async with serve(chat, "127.0.0.1", int(sys.argv[1])):
        await asyncio.Future()

asyncio.run(main())
"""


PLAN = {"window": 2, "warm_up": 0.1, "seconds": 0.3}


def measure(name, *plans, members=3):
    """Serve a target; return the figures of each plan, or of the only one."""
    with serve(TARGETS[name], members=members) as serving:
        rooms = {"rooms": [serving.members(0, members)]}
        figures = [generate(serving, rooms | PLAN | plan) for plan in plans or [{}]]
    return figures if len(plans) > 1 else figures[0]


@pytest.fixture
def chat(monkeypatch):
    """A function that measures a chat that sends each message TIMES to each member."""

    def measure_chat(times, patience=2, replace=("", ""), **plan):
        program = CHAT.replace("TIMES", times).replace(*replace)
        monkeypatch.setitem(TARGETS, "chat", Target((sys.executable, "-c", program, "{port}")))
        monkeypatch.setattr("bench.servers.LOAD", ["-m", "bench.load", str(patience)])
        return measure("chat", plan)

    return measure_chat


@pytest.mark.parametrize(
    "name", ["bare websockets", "python-socketio, Redis", "step 6 on Daphne", "step 10 on uvicorn"]
)
def test_everything_that_is_sent_arrives_and_is_counted(name):
    for figures in measure(name, {"rate": 50, "window": None}, {}):
        assert figures["problems"] == {}
        assert figures["delivered"] == figures["expected"] == 3 * figures["sent"] > 0
        assert is_complete(figures)
    assert figures["cpu"]["server"] > 0


def test_history_of_an_earlier_run_is_not_counted_and_acks_are():
    for figures in measure("step 10 on Daphne", {}, {}):
        assert is_complete(figures)
        assert figures["acked"] == figures["sent"] > 0
        assert figures["ack_delay"]["p50"] > 0


@pytest.mark.usefixtures("_briefly")
def test_saves_are_counted_with_their_cpu_time():
    figures = speed.measure_save("step 7 on Daphne", history=60)
    assert figures["delivered"] > 0
    assert figures["cpu"]["server"] > 0


def test_message_without_an_ack_is_reported(chat, monkeypatch):
    monkeypatch.setattr("bench.servers.ACKS", 0)
    assert chat("1", patience=0.5)["problems"]["not acknowledged"] > 0


def test_every_message_has_a_client_id_of_its_own(chat):
    assert is_complete(chat("1"))


def test_message_that_comes_twice_is_reported(chat):
    figures = chat("1 + (count % 10 == 9)")
    assert figures["problems"]["out of order"] > 0
    assert not is_complete(figures)


def test_message_that_is_lost_is_reported(chat):
    figures = chat("int(count < 20 or number > 0)", window=None, rate=100)
    assert figures["delivered"] < figures["expected"]
    assert not is_complete(figures)


def test_member_that_receives_nothing_is_reported(chat):
    figures = chat("number > 0", patience=1)
    assert figures["problems"]["got no message"] == 1
    assert not is_complete(figures)


def test_member_that_is_closed_is_reported(chat):
    figures = chat("1", patience=1, replace=("count += 1", "await members[-1].close()"))
    assert figures["problems"]["closed with 1000"] == 1
    assert not is_complete(figures)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux counts the bytes of a socket")
def test_bytes_of_sockets_are_counted_with_what_clients_send():
    figures = measure("bare websockets", {"rate": 50, "window": None}, members=1)
    received = len('{"message": "#0.1.1234567890123#"}')
    sent = received + len(', "client_id": "123e4567-e89b-12d3-a456-426614174000"')
    assert figures["bytes"] > (sent + received) * figures["sent"]
    assert figures["bytes"] < 2 * (sent + received) * figures["sent"]


def test_poller_counts_requests_and_sees_every_alert():
    figures = polling.measure_polls("step 1", clients=3, every=1, seconds=1.5)
    assert figures["delivered"] == figures["expected"] == 3 * figures["sent"] == 6
    assert figures["requests"] >= 3
    assert figures["bytes"] > 300 * figures["requests"]  # a response, and what a browser sends
    assert 0 <= figures["delay"]["p50"] <= figures["delay"]["p99"]
    assert is_complete(figures)


def test_poller_that_is_refused_fails():
    with serve(TARGETS["step 1"], members=3) as serving:
        plan = {"port": serving.ports[0], "cookies": ["sessionid=wrong"], "every": 1, "seconds": 1}
        with pytest.raises(CourseError, match="generator failed"):
            generate(serving, plan, POLLS)


def test_all_at_once_ends_when_everybody_has_what_they_missed():
    figures = idle.measure_return("step 10 on uvicorn", 5)
    assert figures["delivered"] == figures["expected"] == 5 * idle.MISSED
    assert figures["opening_seconds"] > 0


def test_memory_of_idle_sockets_is_measured():
    figures = idle.measure_idle("step 5 on Daphne", 50)
    assert figures["memory"] > figures["memory_before"]
    assert is_complete(figures)


@pytest.fixture
def _briefly(monkeypatch):
    for part in [fan_out, growth, speed]:
        monkeypatch.setattr(part, "SECONDS", 0.3)


@pytest.mark.usefixtures("_briefly")
def test_members_of_two_processes_receive_everything():
    figures = growth.measure(growth.SERVER, "processes", 2, members=3, processes=2)
    assert figures["delivered"] == figures["expected"] == 3 * figures["sent"] > 0
    assert is_complete(figures)


@pytest.mark.usefixtures("_briefly")
def test_rooms_that_only_listen_receive_nothing():
    figures = growth.measure(growth.SERVER, "rooms", 2, rooms=2, members=2)
    assert figures["delivered"] == figures["expected"] == 2 * figures["sent"] > 0


def test_replay_brings_the_last_of_many():
    figures = growth.measure_replay(growth.SERVER, growth.REPLAYED + 5)
    assert figures["delivered"] == figures["expected"] == growth.REPLAYS * growth.REPLAYED


needs_browser = pytest.mark.skipif(
    not (find_browser() and find_spec("playwright")) and os.environ.get("REQUIRE_BROWSER") != "1",
    reason="no browser: install chromium, or set CHROME_BIN to a Chromium or Chrome",
)


@needs_browser
@pytest.mark.parametrize("name", catch_up.SERVERS)
def test_page_shows_all_that_it_missed(name):
    figures = catch_up.measure(name, 20)
    assert figures["delivered"] == figures["expected"] == 20
    assert figures["seconds"] > 0
    assert is_complete(figures)


@needs_browser
def test_page_that_does_not_show_what_it_missed_is_reported(monkeypatch):
    monkeypatch.setattr(catch_up, "PATIENCE", 1)
    monkeypatch.setattr(Serving, "save_missed", lambda serving, count: None)
    figures = catch_up.measure(catch_up.SERVER, 20)
    assert figures["delivered"] == 0
    assert not is_complete(figures)


def test_no_page_is_measured_without_a_browser(monkeypatch, capsys):
    monkeypatch.setattr(catch_up, "find_browser", lambda: None)
    assert list(catch_up.jobs(full=True)) == []
    assert "install chromium" in capsys.readouterr().err


def test_postgresql_is_served_by_the_settings_of_deploy():
    name = "step 10 on Daphne, PostgreSQL"
    if not available(name):
        pytest.skip("no PostgreSQL")
    assert is_complete(measure(name))


CHANGE = """
what = "Answers at once"
gives_up = "nothing"

[[replace]]
file = "chat/answer.py"
old = "at once"
new = "later"
"""


@pytest.fixture
def made_up_step(monkeypatch, tmp_path):
    """A step with one file and one change, called `slow`; yields a function that replaces both."""
    step = tmp_path / "step10_throughput"
    monkeypatch.setattr(changes, "STEPS", {10: step})
    monkeypatch.setattr(changes, "FOLDER", tmp_path)

    def write(answer, change=CHANGE):
        (step / "chat").mkdir(parents=True, exist_ok=True)
        (step / "chat" / "answer.py").write_text(answer)
        (tmp_path / "slow.toml").write_text(change)
        return step

    return write


def test_change_is_taken_out_of_a_copy(made_up_step, tmp_path):
    step = made_up_step("answer at once\n")
    copy = changes.copy_without("slow", tmp_path / "copies")
    assert copy.name == step.name
    assert (copy / "chat" / "answer.py").read_text() == "answer later\n"
    assert (step / "chat" / "answer.py").read_text() == "answer at once\n"


@pytest.mark.parametrize(("answer", "count"), [("later\n", 0), ("at once and at once\n", 2)])
def test_change_whose_text_is_not_there_once_is_refused(made_up_step, tmp_path, answer, count):
    made_up_step(answer)
    with pytest.raises(CourseError, match=f"slow.toml {count} times, not once: 'at once'"):
        changes.copy_without("slow", tmp_path / "copies")


@pytest.mark.parametrize("text", ["what =", 'what = "x"', CHANGE.replace("old", "from")])
def test_change_that_can_not_be_read_is_refused(made_up_step, text):
    made_up_step("answer at once\n", text)
    with pytest.raises(CourseError, match=r"bench/changes/slow.toml needs what, gives_up and"):
        changes.load_changes()


@pytest.mark.parametrize("name", changes.load_changes())
def test_step_without_a_change_can_be_imported(name, tmp_path):
    copy = changes.copy_without(name, tmp_path)
    database, _ = filled_database(changes.STEP, 1, 3, 0)
    code = "from mychannels.asgi import application"
    variables = environ() | with_database(database)
    subprocess.run([PYTHON, "-c", code], cwd=copy, env=variables, check=True)


@pytest.mark.usefixtures("_briefly")
def test_change_is_measured_beside_the_complete_step():
    figures = changes.measure("step 10 on Daphne", "", "Daphne", 1, 3)
    assert is_complete(figures)
    assert figures["case"] == "3 members, Daphne"


GOOD = {
    "server": "x",
    "rooms": 1,
    "members": 100,
    "delays": True,
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
    fast = GOOD | {"seconds": 0.5}
    assert rows_of(fan_out, GOOD, fast, GOOD) == [
        ["x", "300", "300–600", "", "", "100.0", "10.0", "60", "1.0", "2.0", ""]
    ]


def test_steps_are_compared_with_the_tutorial_and_the_step_before():
    runs = [
        GOOD | {"server": "step 10 on Daphne"},
        GOOD | {"server": "step 8 on Daphne", "seconds": 2},
        GOOD | {"server": fan_out.TUTORIAL, "seconds": 3},
    ]
    rows = {row[0]: row[3:5] for row in rows_of(fan_out, *runs)}
    assert rows == {
        "step 10 on Daphne": ["3.00", "2.00"],
        "step 8 on Daphne": ["1.50", ""],
        fan_out.TUTORIAL: ["1.00", ""],
    }


def test_ratios_are_those_of_the_medians():
    sizes = {(1, 100): "100 members", (50, 10): "50 rooms of 10"}
    one = {"what": "deliveries"}
    runs = [
        GOOD | one | {"size": sizes[size], "server": name, "seconds": seconds}
        for size, pair in speed.RATIOS
        for name, seconds in zip(pair, [1, 4], strict=True)
    ]
    deliveries, *_ = speed.tables([run for run in runs if run["size"] == "50 rooms of 10"])
    assert [row[-1] for row in deliveries.rows] == ["", "", "", "", "4.00", "4.00"]


def test_gain_of_a_change_is_that_of_the_complete_step():
    one = {"what": "Answers at once", "gives_up": "nothing", "case": "100 members, Daphne"}
    complete = GOOD | one | {"left_out": ""}
    without = GOOD | one | {"left_out": "slow", "seconds": 2}
    assert rows_of(changes, complete, without) == [
        ["Answers at once", "nothing", "150 → 300, 2.00x"]
    ]


def test_fan_out_has_the_steps_that_send_and_all_peers(monkeypatch):
    monkeypatch.setattr(fan_out, "available", lambda name: True)
    names = {job.args[0] for job in fan_out.jobs(full=True)}
    steps = {TARGETS[name].step for name in names}
    assert steps == {0, 4, 5, 6, 7, 8, 10}
    assert {name for name, target in TARGETS.items() if not target.step} < names


def test_incomplete_run_counts_for_no_figure():
    bad = GOOD | {"delivered": 299, "seconds": 9}
    assert rows_of(fan_out, GOOD, bad)[0][1] == "300"
    assert name_incomplete([GOOD]) == ""
    assert name_incomplete([GOOD, bad]) == "1 of 2 runs were incomplete and don't count: x."


def test_server_without_a_complete_run_has_no_figures():
    bad = GOOD | {"problems": {"closed": 1}}
    assert rows_of(fan_out, bad) == [["x", *[""] * 9, "incomplete"]]


def test_run_that_the_generator_has_limited_is_marked():
    assert rows_of(fan_out, GOOD | {"generator_cpu": 0.9})[0][-1] == "limited by the generator"


def test_report_is_made_from_the_results():
    text, results = report.README.read_text(), report.load_results()
    assert report.as_report(text, results) == text
    if "changes" in results:
        text = (STEPS[10] / "README.md").read_text()
        assert report.with_changes(text, results["changes"]) == text


def test_table_of_changes_is_written_between_the_markers():
    machine = {"cores": 2, "processor": "x", "memory_gib": 4, "python": "3.11"}
    run = GOOD | {"what": "y", "gives_up": "z", "case": "100 members", "left_out": ""}
    result = {"date": "2026-01-01", "machine": machine, "runs": [run, run | {"left_out": "y"}]}
    before, after = "# Step 10\n\n<!-- changes -->\n", "<!-- /changes -->\n\nMore.\n"
    text = report.with_changes(before + "old\n" + after, result)
    assert text.startswith(before)
    assert text.endswith(after)
    assert "| y | z | 300 → 300, 1.00x |" in text
    assert "old" not in text
    assert report.with_changes(text, result) == text
    with pytest.raises(CourseError, match="Add two lines, <!-- changes --> and <!-- /changes -->"):
        report.with_changes("# Step 10\n", result)


@pytest.mark.parametrize("name", PARTS)
def test_every_row_of_the_results_has_a_cell_for_each_heading(name):
    if result := report.load_results().get(name):
        for table in PARTS[name].tables(result["runs"]):
            assert {len(row) for row in table.rows} == {len(table.headings)}


def test_same_figures_make_the_same_plot(tmp_path):
    for name in ["one.svg", "two.svg"]:
        report.draw(fan_out.plot([GOOD]), tmp_path / name)
    assert (tmp_path / "one.svg").read_bytes() == (tmp_path / "two.svg").read_bytes()


def test_results_of_other_code_are_stale(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(report, "RESULTS", tmp_path)
    current = {path: tree_id(path) for path in ["step05_redis", "bench/peers"]}
    (tmp_path / "idle.json").write_text(json.dumps({"key": current}))
    assert main(["stale"]) == 0
    (tmp_path / "fan_out.json").write_text(json.dumps({"key": current | {"step05_redis": "old"}}))
    assert main(["stale"]) == 1
    assert "bench/results/fan_out.json is older than step05_redis." in capsys.readouterr().err


def test_text_of_a_step_makes_no_result_stale(monkeypatch, tmp_path):
    monkeypatch.setattr("bench.figures.ROOT", tmp_path)
    monkeypatch.setattr("bench.figures.tree_of", tree_of)
    code, text = tmp_path / "step01" / "code.py", tmp_path / "step01" / "README.md"
    code.parent.mkdir()
    code.write_text("one\n")
    before = tree_id("step01")
    text.write_text("two\n")
    assert tree_id("step01") == before
    code.write_text("two\n")
    assert tree_id("step01") != before


@pytest.fixture
def bench(monkeypatch, tmp_path):
    """A function that runs the benchmark with those options; results are kept in `tmp_path`."""
    monkeypatch.setattr(run, "QUICK", tmp_path)

    def bench_with(**options):
        for name in ["FULL", "ONLY", "TARGETS", "ROUNDS"]:
            monkeypatch.delenv(name, raising=False)
        for name, value in options.items():
            monkeypatch.setenv(name, value)
        return run.bench("make bench")

    return bench_with


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"ONLY": "all"}, r"There is no part 'all', only: speed, .* Type: make bench ONLY=fan_out"),
        ({"TARGETS": "x"}, r"There is no server 'x', only: step 1; .* Type: make bench TARGETS="),
        ({"TARGETS": "step 1", "FULL": "1"}, r"FULL=1 keeps .* make bench TARGETS='step 1'"),
        ({"ROUNDS": "0"}, r"ROUNDS is '0', not a number. Type: make bench ROUNDS=3"),
    ],
)
def test_option_that_can_not_be_used_is_answered_with_what_to_type(bench, options, sentence):
    with pytest.raises(CourseError, match=sentence):
        bench(**options)


class Job:
    """A job that returns a run without measuring."""

    def __init__(self, run):
        self.run, self.args = run, [run["server"]]

    def __call__(self):
        return self.run


def test_quick_results_are_kept_apart_and_an_incomplete_run_fails(bench, monkeypatch, tmp_path):
    for good, status in [(GOOD, 0), (GOOD | {"expected": 301}, 1)]:
        monkeypatch.setattr(fan_out, "jobs", lambda full, good=good: [Job(good)])
        assert bench(ONLY="fan_out") == status
    result = json.loads((tmp_path / "fan_out.json").read_text())
    assert result["runs"] == [GOOD | {"expected": 301}] * run.ROUNDS
    assert result["machine"]["cores"] > 0
    assert result["machine"]["processor"]


@pytest.mark.parametrize("name", PARTS)
def test_part_without_a_run_has_tables(name):
    for table in PARTS[name].tables([]):
        assert {len(row) for row in table.rows} <= {len(table.headings)}


def test_only_the_chosen_servers_are_measured(bench, monkeypatch, tmp_path):
    names = ["step 5 on Daphne", "tutorial, core Redis", "bare websockets"]
    jobs = [Job(GOOD | {"server": name}) for name in names]
    monkeypatch.setattr(fan_out, "jobs", lambda full: jobs)
    assert bench(ONLY="fan_out", ROUNDS="2", TARGETS="tutorial, core Redis; step 5 on Daphne") == 0
    result = json.loads((tmp_path / "fan_out.json").read_text())
    assert [run["server"] for run in result["runs"]] == names[:2] * 2
    assert result["key"].keys() == {"step05_redis", "bench/peers"}


def test_time_of_a_command_is_taken():
    command = [PYTHON, "manage.py", "runserver", "--noreload", "127.0.0.1:{port}"]
    assert course_itself.measure("runserver", command, STEPS[1])["seconds"] > 0
