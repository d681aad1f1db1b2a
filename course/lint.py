"""make lint: the checks of the code that need no running server."""

import re
import subprocess

from course.environment import LOCKS, PYTHON, clean_environ, ensure, say
from course.steps import ROOT, STEPS

SYSTEM_CHECKS = ["manage.py", "check", "--fail-level", "WARNING"]


def lint():
    """Run every check, also after one that fails; return the exit status."""
    ensure("course", "lint")
    passed = [run("-m", "ruff", "check"), run("-m", "ruff", "format", "--check")]
    for step in STEPS.values():
        passed.append(run(*SYSTEM_CHECKS, folder=step))
    for folder in [*STEPS.values(), ROOT / "deploy"]:
        passed.append(follows_the_lock(folder))
    return 0 if all(passed) else 1


def run(*arguments, folder=ROOT):
    """Run Python with those arguments in that folder; return whether it found nothing wrong."""
    print(f"{folder.name}: {' '.join(arguments)}", flush=True)
    return not subprocess.run([PYTHON, *arguments], cwd=folder, env=clean_environ()).returncode


def follows_the_lock(folder):
    """Return whether the folder asks for the versions that the course has tested."""
    locked = (LOCKS / "course.lock").read_text()
    wrong = [
        f"{folder.name}/{file.name} asks for {line}, requirements/course.lock has another version."
        for file in sorted(folder.glob("requirements*.txt"))
        for line in file.read_text().splitlines()
        if "==" in line and f"\n{pin(line)} " not in locked
    ]
    for message in wrong:
        say(message)
    return not wrong


def pin(line):
    """Return `name==version` from a line such as `name[extra]==version  # comment`."""
    return re.sub(r"\[.*?\]", "", line.split()[0])
