import json
import shutil
import subprocess

import pytest
from made_up import MadeUpCourse

from course.environment import PYTHON, VENV

LESSONS = """
[step02_count]
changes = ["chat/models.py"]

[step03_part]
changes = ["chat/models.py", "static/page one.css"]
"""
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
    course.write("course/lessons.toml", LESSONS)
    course.write("course/proofs.json", "{}")
    course.run("lint", "FULL=1", status=1)
    lessons = LESSONS
    for step, known in json.loads(course.read("course/proofs.json")).items():
        names = [address for address, test in known["hunks"].items() if test == "no test"]
        lessons += excuse(step, "unneeded", names) if names else ""
    course.write("course/lessons.toml", lessons)
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


@pytest.mark.parametrize("step", ["step01_greet", "step02_count", "step03_part"])
def test_every_hunk_is_needed_or_excused(course, step):
    hunks = json.loads(course.read("course/proofs.json"))[step]["hunks"]
    assert set(hunks) >= {name for name in hunks if name.startswith(MODELS)}
    tests = [test for name, test in hunks.items() if name.startswith(MODELS)]
    assert any(test.startswith("tests/test_") for test in tests)
    assert "no test" not in tests


def test_reformatted_line_is_named_with_its_file(course):
    for step in ["step02_count", "step03_part"]:
        course.replace(
            f"{step}/{MODELS}", "(self, name):", "(\n        self,\n        name,\n    ):"
        )
    [line, *_] = complaints(course)
    assert line.startswith(f"step02_count/{MODELS}:9: nothing that runs differs")
    assert "make carry 1" in line


def test_moved_comment_is_named_with_its_file(course):
    comment = "# Said to everybody.\n"
    for step in ["step01_greet", "step02_count"]:
        course.replace(f"{step}/{MODELS}", "GREETING =", f"{comment}GREETING =")
    course.replace(f"step03_part/{MODELS}", "class Room", f"{comment}class Room")
    assert any(f"step03_part/{MODELS}:6: " in line for line in complaints(course))


def test_test_that_passes_on_the_step_before_is_named(course):
    for step in ["step02_count", "step03_part"]:
        course.replace(f"{step}/tests/test_count.py", "room.greeted == 1", "room.name")
    assert any("make lint FULL=1" in line for line in complaints(course))
    found = complaints(course, "FULL=1")
    name = "step02_count/tests/test_count.py::test_greetings_are_counted"
    assert any(line.startswith(f"{name} passes on the step before") for line in found)


def test_line_that_nothing_needs_is_named(course):
    for step in ["step02_count", "step03_part"]:
        course.replace(f"{step}/{MODELS}", "GREETING =", "IDLE = 0\nGREETING =")
    assert any("make lint FULL=1" in line for line in complaints(course))
    found = complaints(course, "FULL=1")
    assert any(line.startswith(f"step02_count/{MODELS}:3: no test fails") for line in found)


def test_fix_in_one_step_alone_is_named(course):
    course.replace(f"step02_count/{MODELS}", '"Hello"', '"Hello there"')
    assert any(
        line.startswith(f"step02_count/{MODELS}:3: the next step takes this back")
        and "make carry 2" in line
        for line in complaints(course)
    )


def test_fix_in_a_file_that_no_lesson_changes_is_named(course):
    course.replace("step02_count/templates/room.html", "Nobody", "No one")
    found = complaints(course)
    assert any("step02_count/templates/room.html is changed" in line for line in found)
    assert any("make carry 1 or 2" in line for line in found)


def test_missing_file_is_named(course):
    (course.folder / "step02_count/templates/room.html").unlink()
    found = complaints(course)
    assert any("step02_count/templates/room.html is removed" in line for line in found)


def test_missing_test_is_named(course):
    (course.folder / "step03_part/tests/test_count.py").unlink()
    name = "tests/test_count.py::test_greetings_are_counted"
    assert any(f"step03_part has {name} of step02_count no more" in n for n in complaints(course))


def test_retired_test_is_fine_with_a_reason(course):
    (course.folder / "step03_part/tests/test_count.py").unlink()
    names = ["tests/test_count.py::test_greetings_are_counted"]
    lessons = course.read("course/lessons.toml") + excuse("step03_part", "retired", names)
    course.write("course/lessons.toml", lessons)
    assert not any("no more" in line for line in complaints(course))


@pytest.mark.parametrize("kind", ["retired", "accidents", "taken_back", "green_before", "unneeded"])
def test_excuse_that_is_not_needed_is_named(course, kind):
    lessons = course.read("course/lessons.toml") + excuse("step02_count", kind, ["chat/x.py#0"])
    course.write("course/lessons.toml", lessons)
    [line] = complaints(course)
    assert line.startswith("step02_count: chat/x.py#0 ")
    assert line.endswith(f"Take it out of `{kind}` in course/lessons.toml.")


def test_step_that_is_not_proved_is_fine_with_a_reason(course):
    path = "step03_part/static/open.txt"
    course.replace(path, "first", "second")
    lessons = course.read("course/lessons.toml").replace(
        '"static/page', '"static/open.txt", "static/page'
    )
    course.write(
        "course/lessons.toml", lessons + excuse("step03_part", "unproved", ["step03_part"])
    )
    course.run("lint")


@pytest.mark.parametrize("broken", ["[step02_count", "[step02_count]\nchange = []\n"])
def test_lessons_that_cannot_be_read_get_one_line(course, broken):
    course.write("course/lessons.toml", broken)
    assert "course/lessons.toml can't be read" in course.run("lint", status=2)


def test_proof_that_was_interrupted_goes_on_where_it_was(course):
    proofs = json.loads(course.read("course/proofs.json"))
    part = proofs["step01_greet"]
    forgotten, kept = [name for name, test in part["hunks"].items() if "::" in test][:2]
    test = part["hunks"].pop(forgotten)
    part["hunks"][kept] = "kept"
    proofs["step01_greet"] = {"unfinished": part}
    course.write("course/proofs.json", json.dumps(proofs))
    assert complaints(course)
    course.run("lint", "FULL=1")
    hunks = json.loads(course.read("course/proofs.json"))["step01_greet"]["hunks"]
    assert (hunks[forgotten], hunks[kept]) == (test, "kept")


def test_failing_test_stops_the_proof(course):
    course.replace("step03_part/tests/test_part.py", "Goodbye", "Hello")
    output = course.run("lint", "FULL=1", status=2)
    assert "tests/test_part.py::test_user_is_seen_off has failed" in output
