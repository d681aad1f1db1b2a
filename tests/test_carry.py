import os
import subprocess
import sys

import pytest
from conftest import ROOT
from made_up import MadeUpCourse

MODELS = "chat/models.py"
STEPS = ["step01_greet", "step02_count", "step03_part"]
# A carry is killed before each program that it starts; then it is ended by one of the commands.
KILL = """
import os, sys
from course.author import carry
from course.git import find_tree, snapshot
from course.steps import STEPS

carry.run_tests = lambda folders: 0
steps = list(STEPS.values())
trees = lambda: [find_tree(snapshot(), step) for step in steps]


def killed(number):
    "Carry in a process that is killed when it has started `number` programs; return if it was."
    if child := os.fork():
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
    left = number

    def hook(event, values):
        nonlocal left
        left -= event == "subprocess.Popen"
        if left < 0:
            os._exit(9)

    sys.addaudithook(hook)
    carry.carry(steps[0])
    os._exit(0)


before = trees()
assert not killed(1000)
after = trees()
if carry.read_state().get("stopped"):
    carry.carry_abort()
for number in range(1000):
    carry.run_git("restore", "--staged", "--worktree", "--", *(step.name for step in steps[1:]))
    carry.write_state({})
    alive = not killed(number)
    if "waiting" in carry.read_state() and not alive:
        END()
    assert trees() in [before, after], number
    if alive:
        break
print(number)
"""


def state_of(course):
    """Return all that a carry must not touch, or has to put back."""
    folders = sorted(f for f in course.folder.glob("step*/**/") if "__pycache__" not in f.parts)
    seen = course.git("status", "--porcelain"), course.git("diff", "--cached")
    return course.files(), folders, *seen, course.git("rev-parse", "HEAD", "--symbolic-full-name")


@pytest.fixture
def quick(made_up):
    """The course, in which the tests of the steps are not run but named."""
    made_up.write(
        "course/learn/test.py", "def run_tests(steps):\n    print([s.name for s in steps])\n"
    )
    return made_up


@pytest.fixture
def conflict(quick):
    """The course with a carry that has stopped at a conflict in step 2; step 1 is changed."""
    quick.replace(f"step02_count/{MODELS}", "Hello", "Good day")
    quick.replace(f"step03_part/{MODELS}", "Hello", "Good day")
    quick.commit()
    quick.replace(f"step01_greet/{MODELS}", "Hello", "Hi")
    quick.write("step01_greet/chat/rooms.py", "ROOMS = []\n")
    quick.before = state_of(quick)
    quick.said = quick.run("carry", "1", status=1)
    return quick


def resolve(course, step, text):
    """Put a text in the place of the lines between conflict markers."""
    head, _, rest = course.read(f"{step}/{MODELS}").partition("<<<<<<< ours\n")
    course.write(f"{step}/{MODELS}", head + text + rest.partition(">>>>>>> theirs\n")[2])


def test_fix_reaches_every_later_step_and_is_tested(made_up):
    made_up.replace(f"step01_greet/{MODELS}", "class Room:", "class Room:  # of a chat")
    output = made_up.run("carry", "1")
    assert all("class Room:  # of a chat" in made_up.read(f"{step}/{MODELS}") for step in STEPS)
    assert "step01_greet is carried into step02_count, step03_part." in output
    assert output.endswith("9 passed, 0 failed, 0 skipped\n")


def test_only_the_fix_is_carried(quick):
    before = quick.files()
    quick.replace(f"step01_greet/{MODELS}", "A room.", "A place.")
    quick.run("carry", "1")
    assert quick.files() == {
        path: content.replace(b"A room.", b"A place.") if path.endswith(MODELS) else content
        for path, content in before.items()
    }


def test_failing_test_of_a_later_step_gives_status_1(made_up):
    made_up.replace(f"step01_greet/{MODELS}", "Hello", "Hi")
    output = made_up.run("carry", "1", status=1)
    assert "step02_count: 2 passed, 1 failed" in output
    assert "'Hi'" in made_up.read(f"step03_part/{MODELS}")


def test_every_kind_of_change_is_carried(quick):
    quick.replace(f"step02_count/{MODELS}", "A room.", "A place.")
    quick.replace("step02_count/templates/room.html", "Be the first.", "Come in.")
    quick.commit()
    quick.replace(f"step01_greet/{MODELS}", "Hello", "Hi")
    quick.write("step01_greet/static/logo.bin", b"\x00new")
    quick.write("step01_greet/new folder/in it/ä.sh", "#!/bin/sh\n").chmod(0o755)
    (quick.folder / "step01_greet/static/open.txt").unlink()
    (quick.folder / "step01_greet/static/a link").symlink_to("größe.txt")
    (quick.folder / "step01_greet/static/dos.txt").chmod(0o755)
    quick.git("mv", "step01_greet/templates/room.html", "step01_greet/templates/hall.html")
    quick.run("carry", "1")
    for step in STEPS[1:]:
        folder = quick.folder / step
        assert "'Hi'" in quick.read(f"{step}/{MODELS}")
        assert (folder / "static/logo.bin").read_bytes() == b"\x00new"
        assert os.access(folder / "new folder/in it/ä.sh", os.X_OK)
        assert os.access(folder / "static/dos.txt", os.X_OK)
        assert os.readlink(folder / "static/a link") == "größe.txt"
        assert not (folder / "static/open.txt").exists()
        assert not (folder / "templates/room.html").exists()
        assert ("Come in." if step == STEPS[1] else "Be the first.") in quick.read(
            f"{step}/templates/hall.html"
        )


@pytest.mark.parametrize(
    ("path", "old", "new"),
    [
        ("static/dos.txt", "one\r\n", "ONE\r\n"),
        ("static/open.txt", "first", "FIRST"),
        ("static/größe.txt", "eins", "müßig"),
    ],
)
def test_bytes_around_a_change_stay(quick, path, old, new):
    expected = quick.read(f"step03_part/{path}").replace(old, new)
    quick.replace(f"step01_greet/{path}", old, new)
    quick.run("carry", "1")
    assert quick.read(f"step03_part/{path}") == expected


def test_last_commit_is_carried_if_nothing_is_uncommitted(quick):
    quick.replace(f"step01_greet/{MODELS}", "A room.", "A place.")
    quick.commit()
    quick.write("README.md", "not of a step\n")
    quick.commit()
    quick.run("carry", "1")
    assert "A place." in quick.read(f"step03_part/{MODELS}")


def test_uncommitted_work_is_carried_without_the_last_commit(quick):
    quick.replace(f"step01_greet/{MODELS}", "A room.", "A place.")
    quick.commit()
    quick.write("step01_greet/chat/rooms.py", "ROOMS = []\n")
    quick.run("carry", "1")
    assert "A room." in quick.read(f"step03_part/{MODELS}")
    assert "ROOMS" in quick.read("step03_part/chat/rooms.py")


def test_since_names_the_revision_to_compare_with(quick):
    quick.replace(f"step01_greet/{MODELS}", "A room.", "A place.")
    quick.commit()
    quick.write("step01_greet/chat/rooms.py", "ROOMS = []\n")
    quick.run("carry", "1", "SINCE=HEAD~1")
    assert "A place." in quick.read(f"step03_part/{MODELS}")
    assert "ROOMS" in quick.read("step03_part/chat/rooms.py")


@pytest.mark.parametrize("since", ["nonsense", "HEAD~99", "--all", ":/", "^HEAD"])
def test_revision_that_is_none_gets_one_line(quick, since):
    output = quick.run("carry", "1", f"SINCE={since}", status=2)
    assert output.count("\n") == 1


def test_step_without_changes_has_nothing_to_carry(quick):
    quick.write("step01_greet/db.sqlite3", b"\0")
    quick.write("step01_greet/chat/.models.py.swp", b"\0")
    quick.write("step01_greet/venv/bin/python", "")
    output = quick.run("carry", "1")
    assert output.startswith("Nothing has changed in step01_greet.")
    assert output.count("\n") == 1


def test_what_the_user_ignores_is_not_carried(quick):
    quick.write(".git/info/exclude", "*.mine\n")
    quick.write("step01_greet/notes.mine", "x")
    assert "Nothing has changed" in quick.run("carry", "1")


def test_line_ends_are_the_same_with_autocrlf(quick, tmp_path):
    quick.write(".gitattributes", (ROOT / ".gitattributes").read_text())
    quick.commit()
    clone = MadeUpCourse.__new__(MadeUpCourse)
    clone.folder = tmp_path / "clone"
    quick.git("clone", "--quiet", "-c", "core.autocrlf=true", quick.folder, clone.folder)
    (clone.folder / ".venv").symlink_to(ROOT / ".venv")
    assert "\r" not in clone.read(f"step01_greet/{MODELS}")
    clone.replace(f"step01_greet/{MODELS}", "A room.", "A place.")
    clone.run("carry", "1")
    changed = clone.git("diff", "HEAD", "--numstat").splitlines()
    assert changed == [f"1\t1\t{step}/{MODELS}" for step in STEPS]


def test_last_step_has_nothing_to_carry_to(quick):
    output = quick.run("carry", "3", status=2)
    assert output == "No step comes after step03_part. Type: make carry 1\n"


def test_course_without_a_repository_gets_one_line(tmp_path):
    output = MadeUpCourse(tmp_path).run("carry", "1", status=2)
    assert output.startswith("make carry needs the history of the course")
    assert output.count("\n") == 1


def test_shallow_clone_gets_one_line_with_the_cure(quick, tmp_path):
    clone = MadeUpCourse.__new__(MadeUpCourse)
    clone.folder = tmp_path / "clone"
    quick.git("clone", "--quiet", "--depth=1", f"file://{quick.folder}", clone.folder)
    (clone.folder / ".venv").symlink_to(ROOT / ".venv")
    output = clone.run("carry", "1", status=2)
    assert output == "This clone lacks older commits. Type: git fetch --unshallow\n"


def test_worktree_is_carried_in(quick, tmp_path):
    quick.git("worktree", "add", "--quiet", tmp_path / "other")
    other = MadeUpCourse.__new__(MadeUpCourse)
    other.folder = tmp_path / "other"
    (other.folder / ".venv").symlink_to(ROOT / ".venv")
    other.write("course/learn/test.py", quick.read("course/learn/test.py"))
    other.replace(f"step01_greet/{MODELS}", "A room.", "A place.")
    other.run("carry", "1")
    assert "A place." in other.read(f"step03_part/{MODELS}")
    assert "A room." in quick.read(f"step03_part/{MODELS}")


def test_lock_of_another_git_gets_one_line_with_the_cure(quick):
    quick.replace(f"step01_greet/{MODELS}", "A room.", "A place.")
    quick.write(".git/index.lock", "")
    output = quick.run("carry", "1", status=2)
    assert output.endswith("type: rm .git/index.lock\n")
    (quick.folder / ".git/index.lock").unlink()
    quick.run("carry-continue")
    assert "A place." in quick.read(f"step03_part/{MODELS}")


def test_file_that_a_later_step_does_not_have_is_left_alone(quick):
    quick.replace("step02_count/static/page one.css", "black", "blue")
    output = quick.run("carry", "2")
    assert "step03_part/static/page one.css: left alone" in output
    assert "The later steps stay as they are." in output


def test_fix_that_a_step_has_already_still_reaches_the_next(quick):
    quick.replace(f"step01_greet/{MODELS}", "A room.", "A place.")
    quick.replace(f"step02_count/{MODELS}", "A room.", "A place.")
    quick.write("step01_greet/chat/rooms.py", "ROOMS = []\n")
    quick.write("step02_count/chat/rooms.py", "ROOMS = []\n")
    quick.commit()
    quick.run("carry", "1")
    assert "A place." in quick.read(f"step03_part/{MODELS}")
    assert "ROOMS" in quick.read("step03_part/chat/rooms.py")


def test_revised_fix_can_be_carried_again(quick):
    for text in ["A place.", "A hall.", "A corner."]:
        old = quick.read(f"step01_greet/{MODELS}").split('"""')[3]
        quick.replace(f"step01_greet/{MODELS}", old, text)
        quick.run("carry", "1")
        assert all(text in quick.read(f"{step}/{MODELS}") for step in STEPS)
    quick.write("step02_count/chat/rooms.py", "MINE = 1\n")
    quick.commit()
    quick.replace(f"step01_greet/{MODELS}", "A corner.", "A room.")
    quick.run("carry", "1")
    assert all("A room." in quick.read(f"{step}/{MODELS}") for step in STEPS)


def test_carry_that_was_thrown_away_with_git_is_forgotten(quick):
    quick.replace(f"step02_count/{MODELS}", "Hello", "Good day")
    quick.commit()
    quick.replace(f"step01_greet/{MODELS}", "Hello", "Hi")
    quick.run("carry", "1", status=1)
    quick.git("reset", "--quiet", "--hard")
    assert "The later steps stay as they are." in quick.run("carry-continue")
    quick.replace("step01_greet/static/größe.txt", "eins", "null")
    quick.run("carry", "1")
    assert quick.git("diff", "HEAD", "--name-only", "-z").split("\0")[:-1] == [
        f"{step}/static/größe.txt" for step in STEPS
    ]


def test_second_carry_of_the_same_says_so(quick):
    quick.replace(f"step01_greet/{MODELS}", "A room.", "A place.")
    assert f"step02_count/{MODELS}: merged\n" in quick.run("carry", "1")
    assert quick.run("carry", "1").startswith("All of step01_greet is carried already.")
    quick.commit()
    assert f"step02_count/{MODELS}: already there\n" in quick.run("carry", "1")


def test_carry_of_a_revised_fix_can_be_aborted(quick):
    quick.replace(f"step02_count/{MODELS}", "Hello", "Good day")
    quick.commit()
    quick.replace(f"step01_greet/{MODELS}", "A room.", "A place.")
    quick.run("carry", "1")
    before = state_of(quick)
    quick.replace(f"step01_greet/{MODELS}", "Hello", "Hi")
    quick.run("carry", "1", status=1)
    quick.run("carry-abort")
    quick.replace(f"step01_greet/{MODELS}", "Hi", "Hello")
    assert state_of(quick) == before
    quick.replace(f"step01_greet/{MODELS}", "A place.", "A hall.")
    quick.run("carry", "1")
    assert all("A hall." in quick.read(f"{step}/{MODELS}") for step in STEPS)


def test_later_step_with_uncommitted_work_is_named(quick):
    quick.replace(f"step01_greet/{MODELS}", "A room.", "A place.")
    quick.run("carry", "1")
    quick.write("step02_count/static/größe.txt", "mine\n")
    quick.replace(f"step01_greet/{MODELS}", "A place.", "A hall.")
    before = state_of(quick)
    output = quick.run("carry", "1", status=2)
    assert "step02_count/static/größe.txt" in output
    assert output.count("\n") == 1
    assert state_of(quick) == before


def test_earlier_step_with_uncommitted_work_does_not_matter(quick):
    quick.write("step01_greet/mine.txt", "mine\n")
    quick.replace(f"step02_count/{MODELS}", "A room.", "A place.")
    quick.run("carry", "2")
    assert "A place." in quick.read(f"step03_part/{MODELS}")
    assert "A room." in quick.read(f"step01_greet/{MODELS}")


def test_conflict_is_marked_and_in_the_index(conflict):
    assert f"CONFLICT in step02_count/{MODELS}:3\n" in conflict.said
    assert "make carry-continue" in conflict.said
    assert "make carry-abort" in conflict.said
    text = conflict.read(f"step02_count/{MODELS}")
    ours, theirs = ("GREETING = 'Good day'\n", "GREETING = 'Hi'\n")
    assert f"<<<<<<< ours\n{ours}=======\n{theirs}>>>>>>> theirs\n" in text
    assert f"UU step02_count/{MODELS}" in conflict.git("status", "--porcelain")
    assert "ROOMS" in conflict.read("step02_count/chat/rooms.py")
    assert not (conflict.folder / "step03_part/chat/rooms.py").exists()


def test_solution_of_a_conflict_is_carried_on(conflict):
    resolve(conflict, STEPS[1], "GREETING = 'Hey'\n")
    output = conflict.run("carry-continue")
    assert "step01_greet is carried into step02_count, step03_part." in output
    assert "'Hey'" in conflict.read(f"step03_part/{MODELS}")
    assert "ROOMS" in conflict.read("step03_part/chat/rooms.py")


def test_step_left_as_it_was_ends_the_carry_of_that_file(conflict):
    resolve(conflict, STEPS[1], "GREETING = 'Good day'\n")
    conflict.run("carry-continue")
    assert "Good day" in conflict.read(f"step03_part/{MODELS}")
    assert "ROOMS" in conflict.read("step03_part/chat/rooms.py")


def test_solution_can_conflict_in_the_next_step(conflict):
    conflict.run("carry-abort")
    conflict.git("checkout", "--quiet", "--", "step01_greet")
    (conflict.folder / "step01_greet/chat/rooms.py").unlink()
    conflict.replace(f"step03_part/{MODELS}", "Good day", "Welcome")
    conflict.commit()
    conflict.replace(f"step01_greet/{MODELS}", "Hello", "Hi")
    before = state_of(conflict)
    conflict.run("carry", "1", status=1)
    resolve(conflict, STEPS[1], "GREETING = 'Hey'\n")
    output = conflict.run("carry-continue", status=1)
    assert f"CONFLICT in step03_part/{MODELS}:3\n" in output
    assert "GREETING = 'Hey'\n>>>>>>> theirs\n" in conflict.read(f"step03_part/{MODELS}")
    conflict.run("carry-abort")
    assert state_of(conflict) == before


@pytest.mark.parametrize("left", ["<<<<<<< ours\n", "=======\n", ">>>>>>> theirs\n"])
def test_going_on_is_refused_while_markers_are_left(conflict, left):
    conflict.write(f"step02_count/{MODELS}", f"first\n{left}last\n")
    before = conflict.files()
    output = conflict.run("carry-continue", status=2)
    assert f"step02_count/{MODELS}:2." in output
    assert output.count("\n") == 1
    assert conflict.files() == before


def test_file_removed_here_and_changed_there_is_for_the_user_to_decide(quick):
    quick.replace("step02_count/static/dos.txt", "two", "zwei")
    quick.commit()
    (quick.folder / "step01_greet/static/dos.txt").unlink()
    output = quick.run("carry", "1", status=1)
    assert "CONFLICT in step02_count/static/dos.txt, which is for you to decide." in output
    (quick.folder / "step02_count/static/dos.txt").unlink()
    quick.run("carry-continue", status=1)  # in step 3 it is another text than in step 2
    (quick.folder / "step03_part/static/dos.txt").unlink()
    quick.run("carry-continue")
    assert not (quick.folder / "step03_part/static/dos.txt").exists()


def test_binary_files_are_for_the_user_to_decide(quick):
    quick.write("step02_count/static/logo.bin", b"\x00two")
    quick.commit()
    quick.write("step01_greet/static/logo.bin", b"\x00one")
    output = quick.run("carry", "1", status=1)
    assert "CONFLICT in step02_count/static/logo.bin" in output
    assert (quick.folder / "step02_count/static/logo.bin").read_bytes() == b"\x00two"


def test_file_in_the_way_of_a_new_one_is_a_conflict(quick):
    quick.write("step02_count/chat/rooms.py", "MINE = 1\n")
    quick.commit()
    quick.write("step01_greet/chat/rooms.py", "ROOMS = []\n")
    output = quick.run("carry", "1", status=1)
    assert "CONFLICT in step02_count/chat/rooms.py" in output
    assert "MINE" in quick.read("step02_count/chat/rooms.py")


def test_abort_makes_everything_what_it_was(conflict):
    output = conflict.run("carry-abort")
    assert state_of(conflict) == conflict.before
    assert output == "The later steps are as they were before make carry 1.\n"
    assert conflict.git("stash", "list") == ""


def test_abort_keeps_what_was_written_meanwhile_in_the_stash(conflict):
    conflict.write(f"step02_count/{MODELS}", "mine\n")
    conflict.write("step02_count/mine.txt", "mine, too\n")
    output = conflict.run("carry-abort")
    assert "git checkout 'stash@{0}' -- step02_count step03_part\n" in output
    assert state_of(conflict) == conflict.before
    assert conflict.git("show", f"stash@{{0}}:step02_count/{MODELS}") == "mine\n"
    assert conflict.git("show", "stash@{0}:step02_count/mine.txt") == "mine, too\n"


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
    output = conflict.run("carry", "1", status=2)
    assert "make carry-continue, or: make carry-abort" in output
    assert output.count("\n") == 1
    assert conflict.files() == before


def test_branch_and_what_is_staged_elsewhere_stay(quick):
    quick.git("switch", "--quiet", "--detach")
    quick.write("step01_greet/static/staged.txt", "staged\n")
    quick.git("add", "--all")
    quick.write("step01_greet/static/staged.txt", "staged and changed\n")
    before = quick.git("diff", "--cached", "--", "step01_greet"), quick.git("rev-parse", "HEAD")
    quick.run("carry", "1")
    after = quick.git("diff", "--cached", "--", "step01_greet"), quick.git("rev-parse", "HEAD")
    assert after == before
    assert quick.read("step03_part/static/staged.txt") == "staged and changed\n"


@pytest.mark.parametrize("end", ["carry.carry_abort", "carry.carry_continue"])
@pytest.mark.parametrize("conflicting", [False, True])
def test_whenever_it_is_killed_it_can_be_ended(quick, end, conflicting):
    if conflicting:
        quick.replace(f"step03_part/{MODELS}", "A room.", "A hall.")
        quick.commit()
    quick.replace(f"step01_greet/{MODELS}", "A room.", "A place.")
    code = KILL.replace("END", end)
    command = [sys.executable, "-c", code]
    run = subprocess.run(command, cwd=quick.folder, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr + run.stdout
    assert int(run.stdout.splitlines()[-1]) > 10
