import json
import shutil
import signal
import sqlite3
import subprocess
import zipfile
from urllib.request import urlopen

import psutil
import pytest
from conftest import wait_until
from made_up import FIRST, SECOND

from course.learn.hint import KNOWN, mask

NEXT = "        self.greeted = 0\n"


@pytest.fixture
def course(made_up):
    """The made-up course, with a playground in which nothing of step 2 is typed yet."""
    made_up.run("start", "2")
    return made_up


def saved(course):
    """Return the names of what is saved, the oldest first."""
    return [line.split()[0] for line in course.run("restore").splitlines() if "FROM=" in line]


def solve(course):
    course.run("solve")


def test_playground_is_the_step_before_with_a_readme_of_its_own(course):
    assert course.read("playground/chat/models.py") == FIRST["chat/models.py"]
    assert (course.folder / "playground/static/logo.bin").read_bytes() == FIRST["static/logo.bin"]
    assert "to become step02_count" in course.read("playground/README.md")
    assert course.git("status", "--porcelain") == ""


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["start", "1"], "make start 2"),
        (["start", "7"], "only 1 to 3. Type: make start 1"),
        (["start"], "make start takes N"),
        (["start", "2", "FROM=none.zip"], "no file none.zip"),
        (["start", "2", "FROM=Makefile"], "can't be read as a zip file"),
        (["play"], "make start 2"),
        (["check"], "make start 2"),
        (["watch"], "make start 2"),
        (["hint"], "make start 2"),
        (["solve"], "make start 2"),
        (["manage", "play", "CMD=check"], "make start 2"),
        (["restore", "FROM=yesterday"], "is no saved playground"),
        (["progress", "3"], "make progress takes no numbers"),
        (["check", "FILE=x"], "make check has no FILE"),
    ],
)
def test_bad_input_gets_a_line_that_says_what_to_type(made_up, words, says):
    lines = made_up.run(*words, status=2).splitlines()
    assert len(lines) == 1
    assert says in lines[0]


def test_what_was_there_is_saved_and_can_be_brought_back(course):
    course.write("playground/chat/notes.py", "mine = 1\n")
    said = course.run("start", "3")
    assert not (course.folder / "playground/chat/notes.py").exists()
    (name,) = saved(course)
    assert name.startswith("step02-")
    assert f"make restore FROM={name}" in said
    course.run("restore", f"FROM={name}")
    assert course.read("playground/chat/notes.py") == "mine = 1\n"
    assert len(saved(course)) == 2  # the one of step 3, too


def test_work_in_a_zip_file_becomes_the_playground(course, tmp_path):
    with zipfile.ZipFile(tmp_path / "work.zip", "w") as archive:
        archive.writestr("work/manage.py", "")
        archive.writestr("work/chat/models.py", SECOND["chat/models.py"])
        archive.writestr("work/db.sqlite3", "left out")
        archive.writestr("else/where.txt", "left out")
    course.run("start", "2", f"FROM={tmp_path / 'work.zip'}")
    assert course.read("playground/chat/models.py") == SECOND["chat/models.py"]
    assert not (course.folder / "playground/db.sqlite3").exists()
    assert not list(course.folder.glob("playground/**/where.txt"))


@pytest.mark.parametrize("name", ["../out.py", "a/../../out.py"])
def test_zip_file_cannot_write_elsewhere(course, tmp_path, name):
    with zipfile.ZipFile(tmp_path / "bad.zip", "w") as archive:
        archive.writestr("manage.py", "")
        archive.writestr(name, "bad")
    course.run("start", "2", f"FROM={tmp_path / 'bad.zip'}", status=2)
    assert not list(course.folder.glob("**/out.py"))
    assert course.read("playground/chat/models.py") == FIRST["chat/models.py"]
    assert not list(course.folder.glob("playground.saved/.new-*"))


def test_check_counts_the_hunks_and_passes_what_is_finished(course):
    said = course.run("check", "QUICK=1", status=1)
    assert "missing: Room" in said
    assert "0 of 1 hunks" in said
    course.write("playground/chat/models.py", SECOND["chat/models.py"])
    said = course.run("check")
    assert "1 of 1 hunks, 3 of 3 tests. Step 2 is passed." in said
    assert said.endswith("Next: make start 3\n")
    assert "passed on" in course.run("progress")


def test_other_code_that_works_is_a_pass(course):
    other = SECOND["chat/models.py"].replace("self.greeted += 1", "self.greeted = self.greeted + 1")
    course.write("playground/chat/models.py", other)
    said = course.run("check")
    assert "It works, and differs in 1 place: chat/models.py" in said


def test_code_that_does_not_work_is_no_pass(course):
    course.write("playground/chat/models.py", SECOND["chat/models.py"].replace("+= 1", "+= 2"))
    said = course.run("check", status=1)
    assert "failed: tests/test_count.py::test_greetings_are_counted" in said
    assert "chat/models.py in Room, line 15" in said.splitlines()[-1]
    assert "2 of 3 tests" in course.run("check", "ALL=1", status=1)


def test_tests_of_the_playground_do_not_count(course):
    course.write("playground/tests/test_count.py", "def test_nothing():\n    pass\n")
    assert "failed: tests/test_count.py::test_greetings" in course.run("check", status=1)


def test_check_as_json(course):
    found = json.loads(course.run("check", "JSON=1", "QUICK=1", status=1))
    assert (found["step"], found["passed"], found["tests"]) == (2, False, None)
    assert [(hunk["path"], hunk["state"]) for hunk in found["hunks"]] == [
        ("chat/models.py", "missing")
    ]
    course.run("solve")
    found = json.loads(course.run("check", "JSON=1"))
    assert found["passed"]
    assert found["tests"]["passed"] == found["tests"]["total"] == 3


@pytest.mark.parametrize(
    ("path", "text", "says"),
    [
        ("chat/models.py", "def (:\n", "chat/models.py, line 1: Python can't read it"),
        ("chat/models.py", None, "chat/models.py is missing. Type: make solve FILE=chat/models.py"),
        ("chat/models.py", "import nothing_of_the_kind\n", "No module named 'nothing_of_the_kind'"),
    ],
)
def test_file_that_stops_the_tests_gets_a_sentence(course, path, text, says):
    if text is None:
        (course.folder / "playground" / path).unlink()
    else:
        course.write(f"playground/{path}", text)
    assert says in course.run("check", status=1)


def test_app_under_another_name_is_recognised(course):
    (course.folder / "playground/chat").rename(course.folder / "playground/rooms")
    said = course.run("check", status=1).splitlines()[-1]
    assert said == "Next: rooms/ seems to be chat/. Give it that name back: the tests use it."


def test_files_that_the_course_does_not_know_are_named_and_left(course):
    course.write("playground/chat/extra.py", "x = 1\n")
    course.run("solve")
    assert "extra: chat/extra.py" in course.run("check")
    assert course.read("playground/chat/extra.py") == "x = 1\n"


def test_solve_writes_a_file_or_all_and_keeps_what_was_there(course):
    course.write("playground/chat/models.py", "mine = 1\n")
    said = course.run("solve", "FILE=playground/chat/models.py")
    assert course.read("playground/chat/models.py") == SECOND["chat/models.py"]
    (name,) = saved(course)
    assert f"make restore FROM={name}" in said
    assert course.read(f"playground.saved/{name}/chat/models.py") == "mine = 1\n"
    assert "solved in 1 file" in course.run("progress")
    assert "no file of the step. Type: make solve FILE=chat/models.py" in course.run(
        "solve", "FILE=models.py", status=2
    )


def test_solve_removes_what_the_step_removes(made_up):
    made_up.run("start", "3")
    made_up.run("solve", "FILE=static/page one.css")
    assert not (made_up.folder / "playground/static/page one.css").exists()


def test_solve_does_not_write_through_a_link(course, tmp_path):
    (course.folder / "playground/chat").rename(tmp_path / "elsewhere")
    (course.folder / "playground/chat").symlink_to(tmp_path / "elsewhere")
    course.write("playground/chat/models.py", "mine = 1\n")
    assert "link to elsewhere" in course.run("solve", status=2)
    assert (tmp_path / "elsewhere/models.py").read_text() == "mine = 1\n"


def test_hint_says_more_each_time(course):
    said = [course.run("hint") for _ in range(4)]
    assert "chat/models.py" not in said[0]
    assert "chat/models.py, in Room" in said[1]
    assert "        self.greeted = 0" in said[2]
    assert "+         self.greeted = 0" in said[3]


def test_shape_of_a_line_hides_new_names_and_texts():
    line = 'self.counter = Counter("x", n=len(room))'
    assert mask(line, KNOWN | {"room"}) == "self.… = …(…, …=len(room))"


def test_hint_speaks_of_the_test_when_nothing_is_missing(course):
    course.run("solve")
    assert "make check" in course.run("hint")
    text = course.read("playground/chat/models.py").replace("GREETING = 'Hello'", "GREETING = 'Hi'")
    course.write("playground/chat/models.py", text)
    course.run("check", status=1)
    said = course.run("hint")
    assert "differs from ours at chat/models.py:3" in said
    assert "failed: tests/test_models.py::test_user_is_greeted" in said


def test_hint_shows_what_keeps_the_tests_from_running(course):
    course.run("solve")
    course.replace("playground/chat/models.py", "GREETING = 'Hello'\n", "GREETING = Hello\n")
    course.run("check", status=1)
    assert "NameError: name 'Hello' is not defined" in course.run("hint")


def test_progress_survives_a_damaged_file(course):
    course.run("check", "QUICK=1", status=1)
    assert "in progress, 0 of 1 hunks" in course.run("progress")
    course.write("playground.saved/progress.json", "{")
    said = course.run("progress")
    assert "damaged" in said
    assert "progress.broken-1.json" in said
    assert course.read("playground.saved/progress.broken-1.json") == "{"
    assert json.loads(course.run("progress", "JSON=1")) == {"steps": {"1": {}, "2": {}, "3": {}}}


def test_newer_course_takes_nothing_for_wrong(course):
    course.run("solve")
    for step in ["step01_greet", "step02_count", "step03_part"]:
        course.replace(
            f"{step}/chat/models.py", "GREETING = 'Hello'", "GREETING = 'Hello'\nCOLD = 1"
        )
    said = course.run("check")
    assert "1 of 1 hunks" in said
    assert "The course has changed since you began: step01_greet/chat/models.py" in said


def test_damaged_state_is_no_traceback(course):
    course.write("playground/.course.json", '{"step": 9}')
    for command in [["check"], ["hint"], ["solve"], ["play"]]:
        assert "missing or damaged" in course.run(*command, status=2)
    course.run("start", "2")
    assert saved(course)[0].startswith("step00-")


def test_database_is_kept_where_its_migrations_fit(course):
    file = course.folder / "playground/db.sqlite3"
    course.write("playground/chat/migrations/0001_initial.py", "")
    course.write("step02_count/chat/migrations/0001_initial.py", "")
    with sqlite3.connect(file) as database:
        database.execute("CREATE TABLE django_migrations (app, name)")
        database.execute("INSERT INTO django_migrations VALUES ('chat', '0001_initial')")
        database.execute("INSERT INTO django_migrations VALUES ('auth', '0001_initial')")
    course.run("start", "3")
    assert file.exists()
    said = course.run("start", "2")  # step 1 has no such migration
    assert "stays with what was saved" in said
    assert "this step has no chat/migrations/0001_initial.py" in said
    assert not file.exists()


def test_what_the_system_refuses_gets_one_line(course):
    (course.folder / "playground/chat/models.py").unlink()
    course.write("playground/chat/models.py/mine.txt", "mine")
    said = course.run("solve", status=2)
    assert said.startswith("playground/chat/models.py: Is a directory.")
    assert len(said.splitlines()) == 1
    assert course.read("playground/chat/models.py/mine.txt") == "mine"


def test_playground_that_is_no_folder_is_left_alone(made_up):
    made_up.write("playground", "mine")
    assert "no folder" in made_up.run("start", "2", status=2)
    assert made_up.read("playground") == "mine"


@pytest.mark.parametrize("command", ["start 3", "solve", "restore"])
@pytest.mark.parametrize("nth", [1, 2, 3])
def test_command_that_is_killed_loses_nothing(course, command, nth):
    course.write("playground/chat/models.py", "mine = 1\n")
    course.run("start", "2")
    (name,) = saved(course)
    course.run("restore", f"FROM={name}")
    words = [*command.split(), *([f"FROM={name}"] if command == "restore" else [])]
    script = f"""if True:
        import os, pathlib, sys
        from course.__main__ import main
        renamed = []
        def rename(self, target, do=os.rename):
            renamed.append(target)
            if len(renamed) == {nth}:
                os._exit(9)
            do(self, target)
        pathlib.Path.rename = pathlib.Path.replace = rename
        sys.exit(main({words!r}))
    """
    python = course.folder / ".venv/bin/python"
    subprocess.run([python, "-c", script], cwd=course.folder, capture_output=True)
    shutil.rmtree(course.folder / "playground.saved" / name)
    kept = course.folder.glob("playground*/**/models.py")
    assert "mine = 1\n" in [file.read_text() for file in kept]
    course.run("start", "2")
    course.run("check", "QUICK=1", status=1)


def test_watch_checks_again_when_a_file_is_saved(course, serve):
    watched = serve("watch", cwd=course.folder)
    wait_until(lambda: "Waiting for a file" in watched.output())
    assert "0 of 1 hunks" in watched.output()
    course.write("playground/chat/models.py", SECOND["chat/models.py"])
    wait_until(lambda: "Step 2 is passed" in watched.output())
    watched.end(signal.SIGINT)
    running = psutil.process_iter(["cmdline"])
    assert not [p for p in running if str(course.folder) in " ".join(p.info["cmdline"] or [])]


def test_play_serves_the_playground_under_its_own_name(copied, serve, port):
    copied.run("start", "3")
    served = serve("play", f"PORT={port}", cwd=copied.folder)
    served.until_served()
    with urlopen(f"http://127.0.0.1:{port}/accounts/login/") as response:
        assert f"playground, step 3, port {port}" in response.read().decode()
    assert "System check identified no issues" in copied.run("manage", "play", "CMD=check")
    served.end(signal.SIGINT)
    copied.run("start", "4")
    assert (copied.folder / "playground/db.sqlite3").exists()


def test_real_step_goes_from_nothing_to_passed(copied):
    copied.run("start", "2")
    before = json.loads(copied.run("check", "JSON=1", "QUICK=1", status=1))
    assert {hunk["state"] for hunk in before["hunks"]} == {"missing"}
    copied.run("solve")
    assert "5 of 5 hunks" in (said := copied.run("check"))
    assert said.endswith("Step 2 is passed.\nNext: make start 3\n")
