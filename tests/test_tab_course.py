"""make check, hint and solve of a browser tab, in a Python that has its standard library alone."""

import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from made_up import SECOND

from course.learn.playground import list_files
from course.learn.tab_data import write_course_zip
from course.steps import STEPS

PYTHON = Path(__file__).resolve().parent.parent / "docs" / "tab" / "python"
BEGIN = """
import sys
from pathlib import Path
sys.path[:0] = ["course", sys.argv[1]]
from tab_course import Course
number = int(sys.argv[2])
zips = [Path(f"step{n:02}.zip").read_bytes() for n in (number - 1, number)]
course = Course(number, *zips)
texts, changes = course.begin().values()
"""
PACK = """
import zipfile
from course.learn.tab_data import write_course_zip
from course.learn.playground import list_files
from course.steps import STEPS
for number in 1, 2:
    with zipfile.ZipFile(f"step{number:02}.zip", "w") as archive:
        for path in list_files(STEPS[number]):
            archive.write(STEPS[number] / path, path)
write_course_zip("course.zip")
"""


def run(folder, number, code):
    """Run code in a folder with course.zip and the steps' zips; return what it assigns to `said`.

    It has the Course of that step as `course`, and what that begins with: `texts` and `changes`.
    """
    zipfile.ZipFile(folder / "course.zip").extractall(folder / "course")
    code = f"{BEGIN}{code}\nimport json\nprint(json.dumps(said))"
    command = [sys.executable, "-I", "-S", "-c", code, PYTHON, str(number)]
    result = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert not result.returncode, result.stderr
    return json.loads(result.stdout)


@pytest.fixture
def step4(tmp_path):
    """A folder with what a tab gets for step 4."""
    for number in 3, 4:
        with zipfile.ZipFile(tmp_path / f"step{number:02}.zip", "w") as archive:
            for path in list_files(STEPS[number]):
                archive.write(STEPS[number] / path, path)
    write_course_zip(tmp_path / "course.zip")
    return tmp_path


def test_tab_says_what_a_terminal_says(made_up):
    made_up.write("docs/pitfalls.md", "")
    made_up.write("pack.py", PACK)
    made_up.write("docs/step02.md", "# Count\n\n```{stepdiff} chat/models.py\n:hint: Count.\n```\n")
    packed = [made_up.folder / ".venv/bin/python", "-c", PACK]
    subprocess.run(packed, cwd=made_up.folder, check=True)
    made_up.folder.joinpath("tab").mkdir()
    for file in made_up.folder.glob("*.zip"):
        file.rename(made_up.folder / "tab" / file.name)
    said = run(
        made_up.folder / "tab",
        2,
        "said = [course.check(texts)['text'], *(course.hint(texts) for n in range(4))]",
    )
    made_up.run("start", "2")
    typed = [made_up.run("check", "QUICK=1", status=1)]
    typed += [made_up.run("hint") for n in range(4)]
    assert [words(text) for text in said] == [words(text) for text in typed]


def words(text):
    """Return the words of a text without those that only a page or only a terminal has."""
    pairs = [("type: make hint", "press Hint"), ("type make hint", "press Hint")]
    pairs += [("(docs/step02.md, ", "("), ("type: make solve FILE=", "press Solve this file in ")]
    for typed, pressed in pairs:
        text = text.replace(typed, pressed)
    return text.split()


def test_everything_that_is_solved_is_done(step4):
    said = run(
        step4,
        4,
        "solved = course.solve(texts)\n"
        "said = [changes, solved, course.check(texts | solved['texts']), course.hint(texts)]",
    )
    changes, solved, checked, hint = said
    assert changes[0] == "mychannels/settings.py"
    assert sorted(solved["texts"]) == sorted(changes)
    assert checked["done"] == checked["total"] > 10
    assert not checked["passed"]  # no test has run
    assert "(1 of 4; for more, press Hint again)" in hint
    assert "make " not in solved["text"] + checked["text"] + hint


def test_one_file_is_solved(step4):
    said = run(
        step4,
        4,
        "texts['chat/notes.py'] = 'mine = 1\\n'\n"
        "said = [course.solve(texts, path) for path in ('chat/models.py', 'chat/notes.py')]",
    )
    assert list(said[0]["texts"]) == ["chat/models.py"]
    assert said[0]["text"] == "As in step04_groups_inmemory: chat/models.py"
    assert said[1]["texts"] == {}
    assert "is no file of the step" in said[1]["text"]


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("texts['chat/views.py'] = 'def f('", "chat/views.py, line 1: Python can't read it"),
        ("del texts['chat/views.py']", "Press Solve this file in chat/views.py"),
        ("texts['chat/urls.py/x'] = ''", "Fix that"),
    ],
)
def test_what_keeps_the_tests_from_running_is_said(step4, code, says):
    ran = "ran = lambda playground: 1 / 0\n"
    assert says in run(step4, 4, f"{ran}{code}\nsaid = course.check(texts, ran)")["text"]


def test_what_the_tests_say_is_said_and_remembered(step4):
    outcome = {"passed": 4, "failed": 1, "skipped": 0, "total": 5, "all": True, "logs": ""}
    outcome["failures"] = [{"test": "tests/test_groups.py::test_one", "says": "E   assert 0\n"}]
    passed = outcome | {"passed": 5, "failed": 0, "failures": []}
    said = run(
        step4,
        4,
        "texts |= course.solve(texts)['texts']\n"
        f"said = [course.check(texts, lambda playground: {outcome}), course.hint(texts),\n"
        f"        course.check(texts, lambda playground: {passed})]\n",
    )
    assert "failed: tests/test_groups.py::test_one\n    assert 0" in said[0]["text"]
    assert "4 of 5 tests" in said[0]["text"]
    assert "The last check said:" in said[1]
    assert said[2]["passed"]
    assert said[2]["text"].endswith("5 of 5 tests. Step 4 is passed.\nGo on with the next chapter.")


def test_work_can_be_taken_home(step4, made_up):
    run(
        step4,
        4,
        f"texts['chat/models.py'] = {SECOND['chat/models.py']!r}\n"
        "Path('home.zip').write_bytes(course.zip(texts))\n"
        "said = None",
    )
    made_up.run("start", "2", f"FROM={step4 / 'home.zip'}")
    assert made_up.read("playground/chat/models.py") == SECOND["chat/models.py"]
    assert not (made_up.folder / "playground" / "db.sqlite3").exists()


def test_same_chapter_makes_the_same_zip(step4, tmp_path):
    write_course_zip(tmp_path / "again.zip")
    assert (tmp_path / "again.zip").read_bytes() == (step4 / "course.zip").read_bytes()
