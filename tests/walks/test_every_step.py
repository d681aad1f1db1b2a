"""Walks through every step as a learner would go, in a copy of the course, with its real tests."""

import json
import tomllib
from pathlib import Path

import pytest

from course.steps import STEPS

WRITTEN = [number for number in STEPS if number > 1]
OTHER_CODE = tomllib.loads(Path(__file__).with_name("other_code.toml").read_text())


@pytest.fixture
def finished(copied):
    """A function that makes the playground a finished step, perhaps with other code in a file."""

    def write(number, file=None, edits=()):
        copied.run("start", str(number))
        copied.run("solve")
        for old, new in edits:
            copied.replace(f"playground/{file}", old, new)
        return copied

    return write


def found(course, *options, status):
    """Return what make check finds; a slow machine is no reason for a test to fail."""
    return json.loads(course.run("check", "JSON=1", *options, status=status, TEST_TIMEOUT="60"))


@pytest.mark.parametrize("number", WRITTEN)
def test_nothing_is_done_at_first_and_the_finished_step_passes(copied, finished, number):
    copied.run("start", str(number))
    before = found(copied, "QUICK=1", status=1)
    assert {hunk["state"] for hunk in before["hunks"]} == {"missing"}
    report = found(finished(number), status=0)
    assert {hunk["state"] for hunk in report["hunks"]} == {"done"}
    assert report["tests"]["passed"] == report["tests"]["total"] > 0
    assert report["extra"] == report["extra_lines"] == report["problems"] == []


@pytest.mark.parametrize("code", OTHER_CODE["rewrites"], ids=lambda code: code["name"])
def test_other_code_that_does_the_same_passes_and_differs(finished, code):
    report = found(finished(code["step"], code["file"], code["edits"]), status=0)
    assert report["tests"]["failed"] == 0
    assert report["extra_lines"] or "differs" in {hunk["state"] for hunk in report["hunks"]}


@pytest.mark.parametrize("code", OTHER_CODE["mistakes"], ids=lambda code: code["name"])
def test_mistake_gets_a_sentence_with_its_cause(finished, code):
    course = finished(code["step"], code["file"], code["edits"])
    assert code["says"] in course.run("check", status=1)


def test_migration_under_another_name_passes(finished):
    course = finished(6)
    folder = course.folder / "playground/alert/migrations"
    (folder / "0003_require_room.py").rename(folder / "0003_alter_alert_room.py")
    assert found(course, status=0)["passed"]


def test_migration_that_is_missing_is_named(finished):
    course = finished(6)
    (course.folder / "playground/alert/migrations/0002_alert_room.py").unlink()
    assert "0002_alert_room" in course.run("check", status=1).splitlines()[-1]
