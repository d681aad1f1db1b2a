"""The step folders."""

from pathlib import Path

from course.errors import CourseError

ROOT = Path(__file__).resolve().parent.parent
STEPS = {int(folder.name[4:6]): folder for folder in sorted(ROOT.glob("step[0-9][0-9]_*"))}


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
