"""make progress: what a learner has done, from a JSON file that stays on this machine."""

import json
from datetime import date

from course.errors import CourseError, say
from course.learn.playground import SAVED, in_one_sentence, read_playground
from course.steps import STEPS

FILE = SAVED / "progress.json"
PARTS = {6: "part one: from polling to saved messages", 10: "part two: never lost, and fast"}


def show_progress(json_=False):
    """Print how far each step is, as lines or as JSON; return 0."""
    steps = read_progress()
    if json_:
        print(json.dumps({"steps": {str(n): steps.get(str(n), {}) for n in STEPS}}, indent=1))
        return 0
    for number, step in STEPS.items():
        print(f"{number:>3}  {step.name:<24} {describe(number, steps.get(str(number), {}))}")
    print(f"Next: {next_command(steps)}")
    return 0


def describe(number, known):
    """Return how far a step is, in words."""
    if number == 1:
        return "given"
    if known.get("passed"):
        solved = known.get("solved")
        return f"passed on {known['passed']}" + (f", {count_solved(solved)}" if solved else "")
    if known.get("solved"):
        return count_solved(known["solved"])
    if "hunks" in known:
        return "in progress, {} of {} hunks".format(*known["hunks"])
    return "not begun"


def count_solved(solved):
    if "all" in solved:
        return "solved"
    return f"solved in {len(solved)} file{'s' * (len(solved) > 1)}"


def next_command(steps):
    """Return what to type next."""
    try:
        number = read_playground().number
    except CourseError:
        left = [n for n in STEPS if n > 1 and not steps.get(str(n), {}).get("passed")]
        return f"make start {left[0]}" if left else "make step 10"
    if not steps.get(str(number), {}).get("passed"):
        return "make check"
    return f"make start {number + 1}" if number + 1 in STEPS else "make docs, for deploy/ and more"


def read_progress():
    """Return what is known of each step, by its number as text.

    A file that can't be read is put aside, and that is said.
    """
    if not FILE.exists():
        return {}
    try:
        steps = json.loads(FILE.read_text())["steps"]
        if not all(isinstance(known, dict) for known in steps.values()):
            raise ValueError
        return steps
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        aside = next(
            path
            for n in range(1, 1000)
            if not (path := FILE.with_suffix(f".broken-{n}.json")).exists()
        )
        with in_one_sentence():
            FILE.rename(aside)
        say(f"progress.json was damaged. It is {aside.name} now, and a new one begins.")
        return {}


def note(number, passed=False, solved=None, hunks=None, hint=None):
    """Write down what has happened to a step; return what is known of it."""
    steps = read_progress()
    known = steps.setdefault(str(number), {})
    if passed and not known.get("passed"):
        known["passed"] = str(date.today())
    if solved:
        known["solved"] = sorted({*known.get("solved", []), solved})
    if hunks:
        known["hunks"] = hunks
    if hint:
        known.setdefault("hints", {})[hint] = known.get("hints", {}).get(hint, 0) + 1
    with in_one_sentence():
        FILE.parent.mkdir(exist_ok=True)
        new = FILE.with_suffix(".new")
        new.write_text(json.dumps({"steps": steps}, indent=1))
        new.replace(FILE)
    return known


def celebrate(number):
    """Say that a part of the course is done."""
    from rich.console import Console
    from rich.panel import Panel

    if number in PARTS:
        steps = read_progress()
        lines = [f"You have written {PARTS[number]}."]
        lines += [
            f"  step {n:>2}  {describe(n, steps.get(str(n), {}))}" for n in STEPS if n <= number
        ]
        Console().print(Panel("\n".join(lines), title="mychannels", expand=False))
