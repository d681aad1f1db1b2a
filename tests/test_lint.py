import json
import shutil
import subprocess

import pytest
from made_up import MadeUpCourse

from course.venv import PYTHON, VENV

MODELS = "chat/models.py"

pytestmark = pytest.mark.skipif(
    not (VENV / "lint.lock").exists(), reason="make lint installs what the tests of lint need"
)


def excuse(step, kind, names):
    return f'\n[[{step}.{kind}]]\nbecause = "It is made up."\nnames = {json.dumps(names)}\n'


@pytest.fixture(scope="module")
def proved(tmp_path_factory):
    """A made-up course in which `make lint` finds nothing wrong."""
    course = MadeUpCourse(tmp_path_factory.mktemp("proved"))
    format_steps = [PYTHON, "-m", "ruff", "format", "--quiet", course.folder]
    subprocess.run(format_steps, check=True)
    course.write("course/author/lessons.toml", "")
    course.write("course/author/proofs.json", "{}")
    course.run("lint", "FULL=1", status=1)
    lessons = ""
    for step, known in json.loads(course.read("course/author/proofs.json")).items():
        lessons += excuse(step, "unneeded", known["unneeded"])
    course.write("course/author/lessons.toml", lessons)
    return course


@pytest.fixture
def course(proved, tmp_path):
    """A copy of it that a test can change."""
    folder = tmp_path / "course"
    shutil.copytree(proved.folder, folder, symlinks=True)
    copy = MadeUpCourse.__new__(MadeUpCourse)
    copy.folder = folder
    return copy


def complaints(course, *arguments):
    """Run `make lint`, which has to find something; return its complaints."""
    output = course.run("lint", *arguments, status=1)
    lines = output.partition("versions, differences, proofs\n")[2].splitlines()
    return [line for line in lines if line.startswith("step")]


def test_nothing_is_wrong_to_begin_with(course):
    course.run("lint")


def test_only_what_no_test_needs_is_named(course):
    proofs = json.loads(course.read("course/author/proofs.json"))
    assert [known["green_before"] for known in proofs.values()] == [[], [], []]
    unneeded = {name.partition("#")[0] for known in proofs.values() for name in known["unneeded"]}
    files = {"templates/room.html", "static/dos.txt", "static/open.txt", "static/größe.txt"}
    assert unneeded == files


def test_reformatted_line_is_named_with_its_file(course):
    for step in ["step02_count", "step03_part"]:
        course.replace(
            f"{step}/{MODELS}", "(self, name):", "(\n        self,\n        name,\n    ):"
        )
    [line, *_] = complaints(course)
    assert line.startswith(f"step02_count: {MODELS}::Room#")
    assert "nothing that runs differs" in line


def test_moved_comment_is_named_with_its_file(course):
    comment = "# Said to everybody.\n"
    for step in ["step01_greet", "step02_count"]:
        course.replace(f"{step}/{MODELS}", "GREETING =", f"{comment}GREETING =")
    course.replace(f"step03_part/{MODELS}", "class Room", f"{comment}class Room")
    found = [line for line in complaints(course) if "lines are moved" in line]
    assert [line.partition("#")[0] for line in found] == [f"step03_part: {MODELS}::Room"]


def test_test_that_passes_on_the_step_before_is_named(course):
    for step in ["step02_count", "step03_part"]:
        course.replace(f"{step}/tests/test_count.py", "room.greeted == 1", "room.name")
    assert any("make lint FULL=1" in line for line in complaints(course))
    found = complaints(course, "FULL=1")
    name = "tests/test_count.py::test_greetings_are_counted"
    assert any(f"step02_count: {name}: it passes on the step before" in line for line in found)


def test_line_that_nothing_needs_is_named(course):
    for step in ["step02_count", "step03_part"]:
        course.replace(f"{step}/{MODELS}", "GREETING =", "IDLE = 0\nGREETING =")
    assert any("make lint FULL=1" in line for line in complaints(course))
    found = complaints(course, "FULL=1")
    assert any(f"step02_count: {MODELS}#" in n and "no test fails" in n for n in found)


def test_fix_in_one_step_alone_is_named(course):
    course.replace(f"step02_count/{MODELS}", '"Hello"', '"Hello there"')
    [line] = [line for line in complaints(course) if "the next step takes this back" in line]
    assert line.startswith(f"step02_count: {MODELS}#")


@pytest.mark.parametrize("kind", ["accidents", "taken_back", "green_before", "unneeded"])
def test_excuse_that_is_not_needed_is_named(course, kind):
    lessons = course.read("course/author/lessons.toml") + excuse(
        "step02_count", kind, ["chat/x.py#0"]
    )
    course.write("course/author/lessons.toml", lessons)
    [line] = complaints(course)
    assert line.startswith("step02_count: chat/x.py#0 needs no excuse")
    assert line.endswith(f"under `{kind}`.")


def test_step_that_is_not_proved_is_fine_with_a_reason(course):
    course.replace("step03_part/static/open.txt", "first", "second")
    lessons = course.read("course/author/lessons.toml")
    lessons += excuse("step03_part", "unproved", ["step03_part"])
    course.write("course/author/lessons.toml", lessons)
    course.run("lint")


@pytest.mark.parametrize(
    "broken", ["[step02_count", "[[step02_count.change]]\nbecause = 'x'\nnames = []\n"]
)
def test_lessons_that_cannot_be_read_get_one_line(course, broken):
    course.write("course/author/lessons.toml", broken)
    assert "course/author/lessons.toml can't be read" in course.run("lint", status=2)


def test_proofs_that_cannot_be_read_get_one_line(course):
    course.write("course/author/proofs.json", "<<<<<<< ours\n")
    assert "proofs.json can't be read" in course.run("lint", status=2)


def test_failing_test_stops_the_proof(course):
    course.replace("step03_part/tests/test_part.py", "Goodbye", "Hello")
    output = course.run("lint", "FULL=1", status=2)
    assert "tests/test_part.py::test_user_is_seen_off failed" in output
