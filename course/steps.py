"""The step folders."""

from pathlib import Path

from course.errors import CourseError

ROOT = Path(__file__).resolve().parent.parent


def number_of(name):
    """Return the number of a step, from the name of its folder."""
    return int(name[4:6])


STEPS = {number_of(folder.name): folder for folder in sorted(ROOT.glob("step[0-9][0-9]_*"))}


def find_step(text, command):
    """Return the folder of the step with that number.

    Raises CourseError, which names `command` as what to type, when there is none.
    """
    if not (text.isascii() and text.isdigit() and int(text) in STEPS):
        numbers = f"{min(STEPS)} to {max(STEPS)}"
        raise CourseError(
            f"There is no step {text!r}, only {numbers}. Type: make {command} {min(STEPS)}"
        )
    return STEPS[int(text)]


def needs_redis(step):
    """Tell whether the step in that folder uses Redis."""
    return "channels-redis" in (step / "requirements.txt").read_text()
