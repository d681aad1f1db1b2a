"""make lint: the checks of the code and of what differs between the steps."""

import os
import re
import subprocess
from itertools import pairwise

from course.environment import LOCKS, PYTHON, clean_environ, ensure, say
from course.git import NOTHING, tree_of
from course.hunks import compare
from course.lessons import load_lessons
from course.proofs import check_proofs, load_proofs, prove
from course.shape import check_changes, check_retired, check_taken_back
from course.steps import ROOT, STEPS

SYSTEM_CHECKS = ["manage.py", "check", "--fail-level", "WARNING"]


def lint():
    """Run every check, also after one that fails; return the exit status.

    With FULL=1 in the environment it first finds out, by running tests, what course/proofs.json
    doesn't know yet.
    """
    ensure("course", "lint")
    passed = [run("-m", "ruff", "check"), run("-m", "ruff", "format", "--check")]
    for step in STEPS.values():
        if (step / "manage.py").exists():
            passed.append(run(*SYSTEM_CHECKS, folder=step))
    print(f"{ROOT.name}: versions, differences, proofs", flush=True)
    complaints = [line for step in [*STEPS.values(), ROOT / "deploy"] for line in unlocked(step)]
    complaints += check_steps()
    for line in complaints:
        say(line)
    if (ROOT / "bench").exists():
        run("-m", "bench", "stale")  # old figures are no reason to fail
    return 0 if all(passed) and not complaints else 1


def run(*arguments, folder=ROOT):
    """Run Python with those arguments in that folder; return whether it found nothing wrong."""
    print(f"{folder.name}: {' '.join(arguments)}", flush=True)
    return not subprocess.run([PYTHON, *arguments], cwd=folder, env=clean_environ()).returncode


def unlocked(folder):
    """Return sentences about versions that the folder asks for and the course hasn't tested."""
    locked = (LOCKS / "course.lock").read_text()
    return [
        f"{folder.name}/{file.name} asks for {line}, requirements/course.lock has another version."
        for file in sorted(folder.glob("requirements*.txt"))
        for line in file.read_text().splitlines()
        if "==" in line and f"\n{pin(line)} " not in locked
    ]


def pin(line):
    """Return `name==version` from a line such as `name[extra]==version  # comment`."""
    return re.sub(r"\[.*?\]", "", line.split()[0])


def check_steps():
    """Return what is wrong with the steps and their differences, as sentences."""
    steps = list(STEPS.values())
    trees = [NOTHING, *map(tree_of, steps)]
    pairs = list(pairwise(trees))
    changes = [compare(*pair) for pair in pairs]
    try:
        found = check_differences(steps, changes)
    except SyntaxError as error:
        return [f"{error.filename or 'A test'}:{error.lineno}: {error.msg}"]
    if os.environ.get("FULL"):
        prove(list(zip(steps, [None, *steps], changes, pairs, strict=False)))
    proofs, lessons = load_proofs(), load_lessons()
    for step, change, pair in zip(steps, changes, pairs, strict=True):
        found += check_proofs(step, lessons[step.name], change, pair, proofs)
    return found


def check_differences(steps, changes):
    """Return what is wrong with the differences between neighbours."""
    lessons, found = load_lessons(), []
    for before, step, change in zip(steps, steps[1:], changes[1:], strict=False):
        found += check_changes(before, step, lessons[step.name], change)
        found += check_retired(before, step, lessons[step.name])
    for step, change, later in zip(steps[1:], changes[1:], changes[2:], strict=False):
        found += check_taken_back(step, lessons[step.name], change, later)
    return found
