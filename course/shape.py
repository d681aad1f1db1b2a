"""The shape of the course: only what a lesson means to change differs between two steps."""

import ast

from course.accidents import find_accidents
from course.hunks import decode
from course.lessons import judge
from course.steps import number_of


def check_changes(before, step, lesson, changes):
    """Return what is wrong with the changes between two step folders, as sentences."""
    first, second = number_of(before.name), number_of(step.name)
    listed = {
        change.path: f"{step.name}/{change.path} is {change.kind} since {before.name}, and no "
        f"lesson says so. Carry it (make carry {first} or {second}), take it back, or list it in "
        "course/lessons.toml."
        for change in filter(is_compared, changes)
    }
    accidents = {
        hunk.address if hunk else change.path: f"{where(step, change, hunk)}: {reason}. Make it "
        f"as it is in {before.name}, or make it so there and carry it (make carry {first})."
        for change in changes
        for hunk, reason in find_accidents(change)
        if change.part != "prose"
    }
    return judge(step, lesson, "changes", listed) + judge(step, lesson, "accidents", accidents)


def where(step, change, hunk):
    line = f":{hunk.new_start + 1}" if hunk else ""
    return f"{step.name}/{change.path}{line}"


def check_taken_back(step, lesson, changes, later):
    """Return sentences about the hunks of a step that the next one takes back again."""
    back = {(c.path, *key(h.added, h.removed)) for c in later for h in c.hunks}
    found = {
        hunk.address: f"{where(step, change, hunk)}: the next step takes this back. If it is a "
        f"fix, carry it: make carry {number_of(step.name)}. If not, name {hunk.address} in "
        "`taken_back` in course/lessons.toml, with the reason."
        for change in changes
        for hunk in change.hunks
        if is_compared(change) and (change.path, *key(hunk.removed, hunk.added)) in back
    }
    return judge(step, lesson, "taken_back", found)


def is_compared(change):
    """Tell whether the lessons list the file: texts and modules of tests are left to others."""
    return change.part != "prose" and not change.path.startswith("tests/test_")


def key(removed, added):
    return "".join(removed), "".join(added)


def check_retired(before, step, lesson):
    """Return sentences about tests of a step that the next one lacks or has otherwise."""
    old, new = tests_of(before), tests_of(step)
    found = {
        name: f"{step.name} has {name} of {before.name} "
        f"{'otherwise' if name in new else 'no more'}. Carry the change "
        f"(make carry {number_of(before.name)}), or name it in `retired` in course/lessons.toml, "
        "with the reason."
        for name, content in old.items()
        if new.get(name) != content
    }
    return judge(step, lesson, "retired", found)


def tests_of(step):
    """Return what each test function of a step does, by names such as `tests/test_x.py::test_y`."""
    return {
        f"tests/{file.name}::{node.name}": ast.dump(node)
        for file in sorted((step / "tests").glob("test_*.py"))
        for node in ast.parse(decode(file.read_bytes())).body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        if node.name.startswith("test_")
    }
