"""make lint: the checks of the code and of what differs between the steps."""

import re
import subprocess
import tomllib
from itertools import pairwise

from course.author import proofs
from course.author.accidents import find_accidents
from course.author.checkpoints import check_checkpoints
from course.errors import CourseError, say
from course.git import NOTHING, find_tree, snapshot
from course.hunks import compare
from course.steps import ROOT, STEPS
from course.venv import LOCKS, PYTHON, ensure, environ

LESSONS = "course/author/lessons.toml"
CHECKS = {  # what can be excused in LESSONS, and what there is to say without an excuse
    "accidents": "{reason}. Make it as it is in the step before, or make it so there and carry it",
    "taken_back": "the next step takes this back. If it is a fix, carry it",
    "unproved": "it has changed since its tests were proved. Type: make lint FULL=1",
    "green_before": "it passes on the step before, too, and proves nothing. Let it fail there",
    "unneeded": "no test fails without this. Write the test, or take it out",
}


def lint(full=False):
    """Run every check, also after one that fails; return the exit status.

    With `full` it first finds out, by running tests, what proofs.json doesn't know yet, and tries
    the checkpoints of the chapters. Raises
    CourseError when the tests of a step fail, or when LESSONS can't be read.
    """
    ensure("course", "lint")
    passed = [run("-m", "ruff", "check"), run("-m", "ruff", "format", "--check")]
    for step in STEPS.values():
        passed.append(run("manage.py", "check", "--fail-level", "WARNING", folder=step))
    print(f"{ROOT.name}: versions, differences, proofs", flush=True)
    complaints = [*find_unlocked(), *check_steps(full)]
    if full:
        complaints += check_checkpoints()
    for line in complaints:
        say(line)
    if (ROOT / "bench").exists():
        run("-m", "bench", "stale")  # old figures are no reason to fail
    return 0 if all(passed) and not complaints else 1


def run(*arguments, folder=ROOT):
    """Run Python with those arguments in that folder; return whether it found nothing wrong."""
    print(f"{folder.name}: {' '.join(arguments)}", flush=True)
    return not subprocess.run([PYTHON, *arguments], cwd=folder, env=environ()).returncode


def find_unlocked():
    """Yield sentences about versions that folders ask for and the course hasn't tested."""
    locked = (LOCKS / "course.lock").read_text()
    for file in sorted([*ROOT.glob("step*/requirements*.txt"), *ROOT.glob("deploy/req*.txt")]):
        for pin in re.findall(r"(?m)^([\w.-]+)(?:\[.*?\])?(==\S+)", file.read_text()):
            if "\n{}{} ".format(*pin) not in locked:
                yield f"{file.relative_to(ROOT)} asks for {''.join(pin)}, course.lock for another."


def check_steps(full):
    """Yield sentences about what is wrong with the steps and their differences."""
    now, excused = snapshot(), load_lessons()
    trees = [NOTHING, *(find_tree(now, step) for step in STEPS.values())]
    changes = [compare(*pair) for pair in pairwise(trees)]
    steps = list(zip(STEPS.values(), changes, pairwise(trees), strict=True))
    if full:
        proofs.prove(steps)
    for (step, change, pair), later in zip(steps, [*changes[1:], []], strict=True):
        found = {"accidents": {}, "taken_back": {}, **proofs.known_of(step, change, pair)}
        if pair[0] != NOTHING:
            found["accidents"] = name_accidents(change)
            found["taken_back"] = name_taken_back(change, later)
        for kind, names in found.items():
            excuses = excused.get(step.name, {}).get(kind, [])
            for name in sorted(names.keys() - excuses):
                text = CHECKS[kind].format(reason=names[name])
                yield f"{step.name}: {name}: {text}, or name it in `{kind}` in {LESSONS}."
            for name in excuses:
                if name not in names:
                    yield f"{step.name}: {name} needs no excuse in {LESSONS}, under `{kind}`."


def load_lessons():
    """Return what LESSONS excuses: lists of names, by step and check.

    Raises CourseError when the file can't be read or has something that isn't in CHECKS.
    """
    try:
        lessons = tomllib.loads((ROOT / LESSONS).read_text())
        for kinds in lessons.values():
            for kind, groups in kinds.items():
                if kind not in CHECKS or not all(group["because"].strip() for group in groups):
                    raise ValueError(f"{kind} is no check, or has no reason")
                kinds[kind] = [name for group in groups for name in group["names"]]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise CourseError(
            f"{LESSONS} can't be read: {error}. Correct it, then type the same again"
        ) from None
    return lessons


def name_accidents(changes):
    """Return the reasons why differences teach nothing, by address or path."""
    return {
        hunk.address if hunk else change.path: reason
        for change in changes
        if change.part != "prose"
        for hunk, reason in find_accidents(change)
    }


def name_taken_back(changes, later):
    """Return what the next step takes back, by address."""
    back = {(run.path, *run.removed, "", *run.added) for run in all_runs(later)}
    found = [run for run in all_runs(changes) if (run.path, *run.added, "", *run.removed) in back]
    return {run.address: "" for run in found}


def all_runs(changes):
    return [run for c in changes if c.part == "code" for hunk in c.hunks for run in hunk.runs()]
