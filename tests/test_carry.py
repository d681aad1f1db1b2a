import os
import pty
import shutil
import subprocess
import sys

import pytest
from made_up import MadeUpCourse

MODELS = "chat/models.py"
STEPS = ["step01_greet", "step02_count", "step03_part"]
KILL = """
import os, subprocess, sys
from itertools import count
from course import carry, journal
from course.steps import ROOT, STEPS

WRITES = {"os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.chmod", "os.symlink", "os.utime"}


def snapshot():
    paths = [path for path in ROOT.glob("step*/**/*") if "__pycache__" not in path.parts]
    return {path: (path.stat().st_mode, journal.read(path)) for path in paths}


def reset():
    for command in ["checkout --quiet --", "clean --quiet -d --force"]:
        git = ["git", *command.split(), "step02_count", "step03_part"]
        subprocess.run(git, cwd=ROOT, check=True)


def killed(number, *functions):
    "Call them in a process that is killed when it has written `number` times; tell whether it was."
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
    left = number

    def hook(event, values):
        nonlocal left
        if event in WRITES or (event == "open" and values[2] & os.O_CREAT):
            left -= 1
            if left < 0:
                os._exit(9)

    sys.addaudithook(hook)
    for function in functions:
        function()
    os._exit(0)


def prepare():
    journal.prepare({"step": "step01_greet", "conflicts": []}, writes)


def write():
    journal.write(journal.load())


def put_back():
    journal.put_back(journal.load())


change = STEPS[1], *carry.find_change(STEPS[1])
plan = [carry.merge_into(later, *change) for later in carry.steps_after(STEPS[1])]
writes = {name: pair for step in plan for name, pair in step.files.items()}
before = snapshot()
prepare()
write()
journal.close()
after = snapshot()
for number in count():
    reset()
    alive = not (REACHED)
    if journal.STATE.exists():
        NEXT()
        journal.close()
        assert snapshot() == THEN, number
    assert snapshot() in [before, after], number
    if alive:
        break
print(number)
"""


def change_everything(course):
    """Change step 1 in every way; return what is to be found in the later steps."""
    course.replace("step01_greet/chat/models.py", "Hello", "Hi")
    course.replace("step01_greet/tests/test_models.py", "Hello", "Hi")
    course.write("step01_greet/static/logo.bin", b"\x00new")
    course.write("step01_greet/new folder/in it/ä.sh", "#!/bin/sh\n").chmod(0o755)
    (course.folder / "step01_greet/static/open.txt").unlink()
    course.git("mv", "step01_greet/templates/room.html", "step01_greet/templates/hall.html")


def table(output):
    """Return what the table says, by step and file."""
    rows = [line.split("   ") for line in output.splitlines() if line.startswith("  step0")]
    return {(row[0].strip(), row[1].strip()): "   ".join(row[2:]).strip() for row in rows}


def state_of(course):
    """Return all that a carry must not touch, or has to put back."""
    folders = sorted(f for f in course.folder.glob("step*/**/") if "__pycache__" not in f.parts)
    seen = course.git("status", "--porcelain"), course.git("diff", "--cached")
    return course.files(), folders, *seen, course.git("rev-parse", "HEAD", "--symbolic-full-name")


def unfinished(course):
    return (course.folder / "build" / "carry").exists()


@pytest.fixture
def quick(made_up):
    """The course, in which the tests of the steps are not run but named."""
    made_up.write(
        "course/testing.py", "def run_tests(steps):\n    print([s.name for s in steps])\n"
    )
    return made_up


@pytest.fixture
def conflict(quick):
    """The course with a carry that has stopped at a conflict in step 2; step 1 is changed."""
    quick.replace("step02_count/chat/models.py", "Hello", "Good day")
    quick.replace("step03_part/chat/models.py", "Hello", "Good day")
    quick.commit()
    quick.replace("step01_greet/chat/models.py", "Hello", "Hi")
    quick.write("step01_greet/chat/rooms.py", "ROOMS = []\n")
    quick.before = state_of(quick)
    quick.said = quick.run("carry", "1", status=1)
    return quick


def test_fix_reaches_every_later_step_and_is_tested(made_up):
    made_up.replace("step01_greet/chat/models.py", "class Room:", "class Room:  # of a chat")
    output = made_up.run("carry", "1")
    assert all("class Room:  # of a chat" in made_up.read(f"{step}/{MODELS}") for step in STEPS)
    assert "step01_greet is carried into step02_count, step03_part." in output
    assert output.endswith("9 passed, 0 failed, 0 skipped\n")
    assert not unfinished(made_up)


def test_only_the_fix_is_carried(quick):
    before = quick.files()
    quick.replace("step01_greet/chat/models.py", "A room.", "A place.")
    quick.run("carry", "1")
    assert quick.files() == {
        path: content.replace(b"A room.", b"A place.") if path.endswith(MODELS) else content
        for path, content in before.items()
    }


def test_failing_test_of_a_later_step_gives_status_1(made_up):
    made_up.replace("step01_greet/chat/models.py", "Hello", "Hi")
    output = made_up.run("carry", "1", status=1)
    assert "step02_count: 2 passed, 1 failed" in output
    assert "'Hi'" in made_up.read(f"step03_part/{MODELS}")


def test_steps_that_stay_the_same_are_not_tested(quick):
    quick.replace("step02_count/static/page one.css", "black", "blue")
    output = quick.run("carry", "2")
    assert table(output) == {("step03_part", "static/page one.css"): "left alone: not in this step"}
    assert "There is nothing to write." in output
    assert not unfinished(quick)


def test_last_commit_is_carried_if_nothing_is_uncommitted(quick):
    quick.replace("step01_greet/chat/models.py", "A room.", "A place.")
    quick.commit()
    quick.write("README.md", "not of a step\n")
    quick.commit()
    assert ("step03_part", MODELS) in table(quick.run("carry", "1", "DRY=1"))


def test_uncommitted_work_is_carried_without_the_last_commit(quick):
    quick.replace("step01_greet/chat/models.py", "A room.", "A place.")
    quick.commit()
    quick.write("step01_greet/chat/rooms.py", "ROOMS = []\n")
    files = {file for _, file in table(quick.run("carry", "1", "DRY=1"))}
    assert files == {"chat/rooms.py"}


def test_since_names_the_revision_to_compare_with(quick):
    quick.replace("step01_greet/chat/models.py", "A room.", "A place.")
    quick.commit()
    quick.write("step01_greet/chat/rooms.py", "ROOMS = []\n")
    files = {file for _, file in table(quick.run("carry", "1", "SINCE=HEAD~1", "DRY=1"))}
    assert files == {"chat/rooms.py", MODELS}


@pytest.mark.parametrize("since", ["nonsense", "HEAD~99", "--all", ":/", "^HEAD"])
def test_revision_that_is_none_gets_one_line(quick, since):
    output = quick.run("carry", "1", f"SINCE={since}", status=2)
    assert output.count("\n") == 1


def test_step_without_changes_has_nothing_to_carry(quick):
    output = quick.run("carry", "1")
    assert output.startswith("Nothing has changed in step01_greet.")
    assert output.count("\n") == 1


def test_ignored_files_are_not_carried(quick):
    quick.write("step01_greet/db.sqlite3", b"\0")
    assert "Nothing has changed" in quick.run("carry", "1")


def test_last_step_has_nothing_to_carry_to(quick):
    output = quick.run("carry", "3", status=2)
    assert output == "No step comes after step03_part. Type: make carry 1\n"


def test_course_without_a_repository_gets_one_line(tmp_path):
    output = MadeUpCourse(tmp_path).run("carry", "1", status=2)
    assert output.startswith("make carry needs the history of the course")
    assert output.count("\n") == 1


def test_dry_run_shows_all_and_changes_nothing(quick):
    change_everything(quick)
    quick.write("step02_count/static/logo.bin", b"\x00new")
    quick.commit()
    before = state_of(quick)
    found = table(quick.run("carry", "1", "SINCE=HEAD~1", "DRY=1"))
    assert state_of(quick) == before
    assert not unfinished(quick)
    for step in STEPS[1:]:
        logo = "already there" if step == STEPS[1] else "changed"
        assert {file: what for (name, file), what in found.items() if name == step} == {
            MODELS: "changed",
            "tests/test_models.py": "changed",
            "static/logo.bin": logo,
            "new folder/in it/ä.sh": "added",
            "static/open.txt": "removed",
            "templates/room.html -> templates/hall.html": "renamed",
        }


def test_every_kind_of_change_is_carried(quick):
    change_everything(quick)
    quick.run("carry", "1")
    files = quick.files()
    ours = {p.partition("/")[2]: text for p, text in files.items() if p.startswith(STEPS[0])}
    for step in STEPS[1:]:
        for path in ["static/logo.bin", "new folder/in it/ä.sh", "templates/hall.html"]:
            assert files[f"{step}/{path}"] == ours[path]
        assert f"{step}/static/open.txt" not in files
        assert f"{step}/templates/room.html" not in files
        assert "'Hi'" in quick.read(f"{step}/{MODELS}")
        assert os.access(quick.folder / step / "new folder/in it/ä.sh", os.X_OK)
        assert not os.access(quick.folder / step / "templates/hall.html", os.X_OK)


def test_lines_next_to_those_of_later_steps_merge(quick):
    path = f"step01_greet/{MODELS}"
    quick.replace(path, "        self.name = name\n", "        self.name = str(name)\n")
    quick.replace(path, "        return f'{GREETING}, {user}'", "        return f'Hello, {user}'")
    quick.run("carry", "1")
    for step in STEPS[1:]:
        text = quick.read(f"{step}/{MODELS}")
        assert "        self.name = str(name)\n        self.greeted = 0\n" in text
        assert "        self.greeted += 1\n        return f'Hello, {user}'\n" in text


@pytest.mark.parametrize(
    ("path", "old", "new"),
    [
        ("static/dos.txt", "one\r\n", "ONE\r\n"),
        ("static/open.txt", "first", "FIRST"),
        ("static/größe.txt", "eins", "müßig"),
    ],
)
def test_bytes_around_a_change_stay(quick, path, old, new):
    last = {"static/dos.txt": "three", "static/open.txt": "last", "static/größe.txt": "drei"}[path]
    quick.replace(f"step02_count/{path}", last, last.upper())
    quick.commit()
    expected = quick.read(f"step02_count/{path}").replace(old, new)
    quick.replace(f"step01_greet/{path}", old, new)
    quick.run("carry", "1")
    assert quick.read(f"step02_count/{path}") == expected
    assert quick.read(f"step03_part/{path}") == quick.read(f"step01_greet/{path}")


def test_file_that_a_later_step_has_moved_is_followed(quick):
    quick.git("mv", "step03_part/templates/room.html", "step03_part/templates/chat.html")
    quick.commit()
    quick.replace("step01_greet/templates/room.html", "Nobody", "No one")
    quick.run("carry", "1")
    assert "No one" in quick.read("step03_part/templates/chat.html")
    assert not (quick.folder / "step03_part/templates/room.html").exists()


def test_rename_keeps_what_a_later_step_has_in_the_file(quick):
    quick.replace("step02_count/templates/room.html", "Be the first.", "Come in.")
    quick.commit()
    quick.git("mv", "step01_greet/templates/room.html", "step01_greet/templates/hall.html")
    quick.replace("step01_greet/templates/hall.html", "<h1>Room", "<h1>Hall")
    quick.run("carry", "1")
    text = quick.read("step02_count/templates/hall.html")
    assert text == "<h1>Hall</h1>\n<p>Nobody is here.</p>\n<p>Come in.</p>\n"
    assert not (quick.folder / "step02_count/templates/room.html").exists()


def test_rename_to_a_name_that_is_taken_is_a_conflict(quick):
    quick.write("step02_count/templates/hall.html", "<h1>Another hall</h1>\n")
    quick.commit()
    quick.git("mv", "step01_greet/templates/room.html", "step01_greet/templates/hall.html")
    output = quick.run("carry", "1", status=1)
    assert "CONFLICT in step02_count/templates/hall.html:1: different in" in output
    assert "<h1>Another hall</h1>\n" in quick.read("step02_count/templates/hall.html")


def test_fix_that_a_step_has_already_still_reaches_the_next(quick):
    quick.replace("step01_greet/chat/models.py", "A room.", "A place.")
    quick.replace("step02_count/chat/models.py", "A room.", "A place.")
    quick.write("step01_greet/chat/rooms.py", "ROOMS = []\n")
    quick.write("step02_count/chat/rooms.py", "ROOMS = []\n")
    quick.commit()
    assert table(quick.run("carry", "1")) == {
        ("step02_count", MODELS): "already there",
        ("step02_count", "chat/rooms.py"): "already there",
        ("step03_part", MODELS): "changed",
        ("step03_part", "chat/rooms.py"): "added",
    }
    assert "def part" in quick.read(f"step03_part/{MODELS}")


def test_folder_in_the_way_of_a_new_file_is_a_conflict(quick):
    quick.write("step02_count/chat/rooms/general.txt", "in a folder\n")
    quick.commit()
    quick.write("step01_greet/chat/rooms", "a file\n")
    before = state_of(quick)
    assert "directory in the way of chat/rooms" in quick.run("carry", "1", status=1)
    assert quick.read("step02_count/chat/rooms/general.txt") == "in a folder\n"
    assert quick.read("step02_count/chat/rooms~step01") == "a file\n"
    quick.run("carry-abort")
    assert state_of(quick) == before


@pytest.mark.parametrize("moved", [False, True])
def test_file_that_a_later_step_does_not_have_is_left_alone(quick, moved):
    old, new = "step01_greet/static/page one.css", "step01_greet/static/all pages.css"
    if moved:
        quick.git("mv", old, new)
    else:
        quick.replace(old, "black", "blue")
    found = table(quick.run("carry", "1"))
    path = "static/all pages.css" if moved else "static/page one.css"
    assert found["step03_part", path] == "left alone: not in this step"
    assert not (quick.folder / f"step03_part/{path}").exists()
    assert quick.read(f"step02_count/{path}") == quick.read(f"step01_greet/{path}")


def test_both_moving_a_file_is_for_the_user_to_decide(quick):
    quick.git("mv", "step02_count/templates/room.html", "step02_count/templates/chat.html")
    quick.commit()
    quick.git("mv", "step01_greet/templates/room.html", "step01_greet/templates/hall.html")
    before = state_of(quick)
    output = quick.run("carry", "1", status=1)
    assert "CONFLICT in step02_count/templates/chat.html: templates/room.html renamed" in output
    quick.run("carry-abort")
    assert state_of(quick) == before


def test_file_in_the_way_of_a_folder_is_a_conflict(quick):
    quick.write("step02_count/chat/rooms", "a file\n")
    quick.commit()
    quick.write("step01_greet/chat/rooms/general.txt", "in a folder\n")
    before = state_of(quick)
    output = quick.run("carry", "1", status=1)
    assert "CONFLICT in step02_count/chat/rooms~step02: directory in the way" in output
    assert quick.read("step02_count/chat/rooms~step02") == "a file\n"
    assert quick.read("step02_count/chat/rooms/general.txt") == "in a folder\n"
    quick.run("carry-abort")
    assert state_of(quick) == before


def test_conflict_is_marked_and_stops_there(conflict):
    assert conflict.read(f"step02_count/{MODELS}").splitlines()[2:9] == [
        "<<<<<<< step02_count",
        "GREETING = 'Good day'",
        "||||||| before",
        "GREETING = 'Hello'",
        "=======",
        "GREETING = 'Hi'",
        ">>>>>>> step01_greet",
    ]
    assert "CONFLICT in step02_count/chat/models.py:3: different in" in conflict.said
    assert "make carry-continue\nTo put everything back, type: make carry-abort\n" in conflict.said
    assert "Fix that to see what comes after step02_count." in conflict.said
    assert conflict.read("step02_count/chat/rooms.py") == "ROOMS = []\n"
    assert not (conflict.folder / "step03_part/chat/rooms.py").exists()


def test_solution_of_a_conflict_travels_on(conflict):
    conflict.git("checkout", "--quiet", "--", f"step02_count/{MODELS}")
    conflict.replace(f"step02_count/{MODELS}", "Good day", "Hey")
    output = conflict.run("carry-continue")
    assert table(output) == {
        ("step03_part", MODELS): "changed",
        ("step03_part", "chat/rooms.py"): "added",
    }
    assert output.endswith(f"{STEPS}\n")
    assert "GREETING = 'Hey'" in conflict.read(f"step03_part/{MODELS}")
    assert "def part" in conflict.read(f"step03_part/{MODELS}")
    assert not unfinished(conflict)


def test_fix_that_a_step_with_a_conflict_has_already_reaches_the_next(conflict):
    conflict.run("carry-abort")
    conflict.replace("step01_greet/static/dos.txt", "two", "zwei")
    conflict.replace("step02_count/static/dos.txt", "two", "zwei")
    conflict.git("add", "step02_count")
    conflict.git("commit", "--quiet", "--message", "the fix", "step02_count")
    conflict.run("carry", "1", status=1)
    conflict.git("checkout", "--quiet", "--", f"step02_count/{MODELS}")
    conflict.run("carry-continue")
    assert "zwei" in conflict.read("step03_part/static/dos.txt")
    assert "Good day" in conflict.read(f"step03_part/{MODELS}")


def test_solution_can_conflict_in_the_next_step(quick):
    quick.replace(f"step02_count/{MODELS}", "Hello", "Good day")
    quick.replace(f"step03_part/{MODELS}", "Hello", "Welcome")
    quick.commit()
    quick.replace(f"step01_greet/{MODELS}", "Hello", "Hi")
    quick.write("step01_greet/chat/rooms.py", "ROOMS = []\n")
    before = state_of(quick)
    quick.run("carry", "1", status=1)
    quick.git("checkout", "--quiet", "--", f"step02_count/{MODELS}")
    quick.replace(f"step02_count/{MODELS}", "Good day", "Hey")
    output = quick.run("carry-continue", status=1)
    assert "CONFLICT in step03_part/chat/models.py:3: different in" in output
    assert "GREETING = 'Hey'\n>>>>>>> step02_count\n" in quick.read(f"step03_part/{MODELS}")
    quick.run("carry-abort")
    assert state_of(quick) == before


@pytest.mark.parametrize("left", ["<<<<<<< step02_count\n", "=======\n", ">>>>>>> x\n"])
def test_going_on_is_refused_while_markers_are_left(conflict, left):
    conflict.write(f"step02_count/{MODELS}", f"first\n{left}last\n")
    before = conflict.files()
    output = conflict.run("carry-continue", status=2)
    assert "step02_count/chat/models.py:2." in output
    assert output.count("\n") == 1
    assert conflict.files() == before


def test_abort_puts_everything_back(conflict):
    output = conflict.run("carry-abort")
    assert state_of(conflict) == conflict.before
    assert output == "Everything is as it was before make carry 1.\n"
    assert not unfinished(conflict)


def test_abort_keeps_a_copy_of_what_was_written_meanwhile(conflict):
    for number in [1, 2]:
        conflict.write(f"step02_count/{MODELS}", f"my {number}. try\n")
        conflict.write("step02_count/mine.txt", "mine\n")
        output = conflict.run("carry-abort")
        kept = f"build/carry-aborted/{number}/step02_count/{MODELS}"
        assert f"What you have written into step02_count/{MODELS} is in {kept}\n" in output
        (conflict.folder / "step02_count/mine.txt").unlink()
        assert state_of(conflict) == conflict.before
        conflict.run("carry", "1", status=1)
    copies = sorted((conflict.folder / "build/carry-aborted").rglob("*.py"))
    assert [copy.read_text() for copy in copies] == ["my 1. try\n", "my 2. try\n"]


def test_abort_needs_no_environment(conflict):
    (conflict.folder / ".venv").unlink()
    command = ["python3", "-m", "course", "carry-abort"]
    run = subprocess.run(command, cwd=conflict.folder, capture_output=True)
    assert run.returncode == 0
    assert conflict.files() == conflict.before[0]
    assert not (conflict.folder / ".venv").exists()


def test_abort_after_the_conflict_was_committed_changes_no_commit(conflict):
    conflict.write(f"step02_count/{MODELS}", "fixed\n")
    conflict.commit("fixed")
    head = conflict.git("rev-parse", "HEAD")
    conflict.run("carry-abort")
    assert conflict.files() == conflict.before[0]
    assert conflict.git("rev-parse", "HEAD") == head


@pytest.mark.parametrize("command", ["carry-abort", "carry-continue"])
def test_without_a_carry_there_is_nothing_to_end(quick, command):
    output = quick.run(command, status=2)
    assert output == "No carry is unfinished. To begin one, type: make carry 1\n"


def test_unfinished_carry_refuses_another(conflict):
    before = conflict.files()
    output = conflict.run("carry", "1", "DRY=1", status=2)
    assert "make carry-continue" in output
    assert "make carry-abort" in output
    assert output.count("\n") == 1
    assert conflict.files() == before


def test_binary_files_are_for_the_user_to_decide(quick):
    quick.write("step02_count/static/logo.bin", b"\x00two")
    quick.commit()
    quick.write("step01_greet/static/logo.bin", b"\x00one")
    before = state_of(quick)
    output = quick.run("carry", "1", status=1)
    why = "different in step02_count and step01_greet, and not text"
    assert f"CONFLICT in step02_count/static/logo.bin: {why}" in output
    assert (quick.folder / "step02_count/static/logo.bin").read_bytes() == b"\x00two"
    quick.write("step02_count/static/logo.bin", b"\x00both")
    quick.run("carry-abort")
    assert state_of(quick) == before
    quick.run("carry", "1", status=1)
    quick.write("step02_count/static/logo.bin", b"\x00both")
    assert "CONFLICT in step03_part" not in quick.run("carry-continue", "DRY=1", status=0)


def test_file_removed_here_and_changed_there_stays(quick):
    quick.replace("step02_count/static/dos.txt", "two", "zwei")
    quick.commit()
    (quick.folder / "step01_greet/static/dos.txt").unlink()
    output = quick.run("carry", "1", status=1)
    why = "static/dos.txt deleted in step01 and modified in step02."
    assert f"CONFLICT in step02_count/static/dos.txt: {why}" in output
    assert "zwei" in quick.read("step02_count/static/dos.txt")
    (quick.folder / "step02_count/static/dos.txt").unlink()
    output = quick.run("carry-continue", status=1)
    why = "static/dos.txt deleted in step02 and modified in step03."
    assert f"CONFLICT in step03_part/static/dos.txt: {why}" in output


def test_step_left_as_it_was_ends_the_carry(conflict):
    conflict.git("checkout", "--quiet", "--", f"step02_count/{MODELS}")
    (conflict.folder / "step02_count/chat/rooms.py").unlink()
    conflict.run("carry-continue")
    files = conflict.files()
    assert {path: files[path] for path in conflict.before[0]} == conflict.before[0]
    assert not unfinished(conflict)


def test_later_step_with_uncommitted_work_is_named(quick):
    quick.replace("step01_greet/chat/models.py", "A room.", "A place.")
    quick.write("step02_count/static/größe.txt", "mine\n")
    quick.write("step03_part/mine.txt", "mine\n")
    before = state_of(quick)
    output = quick.run("carry", "1", status=2)
    assert "step02_count/static/größe.txt, step03_part/mine.txt" in output
    assert output.count("\n") == 1
    assert state_of(quick) == before


def test_earlier_step_with_uncommitted_work_does_not_matter(quick):
    quick.write("step01_greet/mine.txt", "mine\n")
    quick.replace("step02_count/chat/models.py", "A room.", "A place.")
    quick.run("carry", "2")
    assert "A place." in quick.read(f"step03_part/{MODELS}")
    assert "A room." in quick.read(f"step01_greet/{MODELS}")


def test_links_and_modes_are_carried_and_put_back(quick):
    quick.replace(f"step02_count/{MODELS}", "Hello", "Good day")
    quick.commit()
    before = state_of(quick)
    quick.replace(f"step01_greet/{MODELS}", "Hello", "Hi")
    (quick.folder / "step01_greet/static/a link").symlink_to("größe.txt")
    (quick.folder / "step01_greet/static/dos.txt").chmod(0o755)
    (quick.folder / "step01_greet/static/open.txt").unlink()
    (quick.folder / "step01_greet/static/open.txt").symlink_to("dos.txt")
    quick.run("carry", "1", status=1)
    step = quick.folder / "step02_count/static"
    assert os.readlink(step / "a link") == "größe.txt"
    assert os.readlink(step / "open.txt") == "dos.txt"
    assert os.access(step / "dos.txt", os.X_OK)
    quick.run("carry-abort")
    quick.git("checkout", "--quiet", "--", "step01_greet")
    (quick.folder / "step01_greet/static/a link").unlink()
    assert state_of(quick) == before


def test_git_that_is_too_old_gets_one_line(quick):
    quick.replace(f"step01_greet/{MODELS}", "A room.", "A place.")
    old = '#!/bin/sh\ncase "$*" in *--write-tree*) exit 129;; esac\nexec %s "$@"\n'
    quick.write("bin/git", old % shutil.which("git")).chmod(0o755)
    before = quick.files()
    path = f"{quick.folder}/bin:{os.environ['PATH']}"
    output = quick.run("carry", "1", status=2, PATH=path)
    assert output.startswith("make carry needs git 2.38 or newer.")
    assert output.count("\n") == 1
    assert quick.files() == before


def test_index_and_branch_stay_as_they_are(quick):
    quick.write("step01_greet/static/staged.txt", "staged\n")
    quick.git("add", "--all")
    quick.write("step01_greet/static/staged.txt", "staged and changed\n")
    before = state_of(quick)[3:]
    quick.run("carry", "1")
    assert state_of(quick)[3:] == before
    assert quick.read("step03_part/static/staged.txt") == "staged and changed\n"


def test_detached_head_stays(quick):
    quick.git("switch", "--quiet", "--detach")
    quick.replace("step01_greet/chat/models.py", "A room.", "A place.")
    quick.run("carry", "1")
    assert "A place." in quick.read(f"step03_part/{MODELS}")
    assert quick.git("branch", "--show-current") == ""


@pytest.mark.parametrize(("answer", "carried"), [("n\n", False), ("\x04", False), ("\n", True)])
def test_terminal_is_asked_first(quick, answer, carried):
    quick.write("step02_count/static/new.txt", "new\n")
    ours, theirs = pty.openpty()
    os.write(ours, answer.encode())
    command = [sys.executable, "-c", "from course.carry import agreed; print([agreed()])"]
    run = subprocess.Popen(command, cwd=quick.folder, stdin=theirs, stdout=theirs, stderr=theirs)
    assert run.wait() == 0
    os.close(theirs)
    said = os.read(ours, 1000).decode()
    os.close(ours)
    assert "Carry it? [Y/n]" in said
    assert f"[{carried}]" in said


def test_file_changed_while_it_was_asked_is_not_overwritten(quick):
    quick.replace("step01_greet/chat/models.py", "A room.", "A place.")
    code = (
        "from pathlib import Path; from course import carry, cli\n"
        "carry.agreed = lambda: Path('step03_part/chat/models.py').write_text('mine')\n"
        "exit(cli.main(['carry', '1']))"
    )
    command = [sys.executable, "-c", code]
    run = subprocess.run(command, cwd=quick.folder, capture_output=True, text=True)
    assert run.returncode == 2
    assert "step03_part/chat/models.py was changed just now." in run.stderr
    assert quick.read(f"step03_part/{MODELS}") == "mine"
    assert "A room." in quick.read(f"step02_count/{MODELS}")
    assert not (quick.folder / "build/carry/state.json").exists()


@pytest.mark.parametrize(
    ("reached", "then", "state"),
    [
        ("killed(number, prepare, write, journal.close)", "put_back", "before"),
        ("killed(number, prepare, write, journal.close)", "write", "after"),
        ("prepare() or write() or killed(number, put_back, journal.close)", "put_back", "before"),
    ],
)
def test_whenever_it_is_killed_it_can_be_put_back_or_finished(quick, reached, then, state):
    change_everything(quick)
    code = KILL.replace("REACHED", reached).replace("NEXT", then).replace("THEN", state)
    command = [sys.executable, "-c", code]
    run = subprocess.run(command, cwd=quick.folder, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert int(run.stdout) > 30


@pytest.mark.parametrize("command", ["carry-abort", "carry-continue"])
def test_killed_carry_is_told_of_and_ended(quick, command):
    change_everything(quick)
    before = state_of(quick)
    code = (
        "import os; from course import cli, journal\n"
        "put = journal.put\n"
        "journal.put = lambda path, file: (put(path, file), os._exit(9))\n"
        "cli.main(['carry', '1'])"
    )
    run = subprocess.run([sys.executable, "-c", code], cwd=quick.folder, capture_output=True)
    assert run.returncode == 9
    assert state_of(quick)[0] != before[0]
    assert "A carry is unfinished." in quick.run("carry", "1", status=2)
    quick.run(command)
    assert (state_of(quick) == before) == (command == "carry-abort")
    assert ("Hi" in quick.read(f"step03_part/{MODELS}")) == (command == "carry-continue")
    assert not unfinished(quick)
