"""course/lessons.toml: what each step means to change, and what is excused from a check, and why.

A table for each step: `changes` lists files; each of the other names in CURES has tables with
`because`, a reason, and `names`, of tests or of hunks.
"""

import tomllib
from pathlib import Path

from course.errors import CourseError
from course.steps import STEPS

FILE = Path(__file__).with_name("lessons.toml")
CURES = {
    "changes": "is the same as in the step before",
    "retired": "is there, unchanged",
    "accidents": "is no accident, or there is no such hunk",
    "taken_back": "is not taken back by the next step, or there is no such hunk",
    "unproved": "is proved",
    "green_before": "fails on the step before, or there is no such test",
    "unneeded": "is needed by a test, or there is no such hunk",
}


def load_lessons():
    """Return the tables by the name of the step's folder: each has the names of each kind.

    Raises CourseError when the file can't be read or has something that isn't in CURES.
    """
    try:
        tables = tomllib.loads(FILE.read_text())
        return {step.name: names_in(tables.pop(step.name, {})) for step in STEPS.values()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise CourseError(f"course/lessons.toml can't be read: {error}") from None


def names_in(table):
    """Return a list of names for each kind, from the table of a step."""
    if unknown := table.keys() - CURES.keys():
        raise ValueError(f"there is nothing named {min(unknown)}")
    names = {"changes": table.get("changes", [])}
    for kind in CURES.keys() - {"changes"}:
        groups = table.get(kind, [])
        if not all(group["because"].strip() for group in groups):
            raise ValueError(f"a table {kind} has no reason")
        names[kind] = [name for group in groups for name in group["names"]]
    return names


def judge(step, lesson, kind, found):
    """Return what to complain of: what was found and isn't excused, and needless excuses.

    `found` has messages by the names of what was found in the folder `step`.
    """
    missing = [message for name, message in found.items() if name not in lesson[kind]]
    needless = [
        f"{step.name}: {name} {CURES[kind]}. Take it out of `{kind}` in course/lessons.toml."
        for name in lesson[kind]
        if name not in found
    ]
    return missing + needless
