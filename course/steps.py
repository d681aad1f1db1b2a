"""The step folders."""

import re
from pathlib import Path

from course.errors import CourseError

ROOT = Path(__file__).resolve().parent.parent
PLAYGROUND = ROOT / "playground"  # where a learner writes a step


def number_of(name):
    """Return the number of a step, from the name of its folder."""
    return int(name[4:6])


def find_steps(root):
    """Return the step folders by number: those named stepNN_... that have a manage.py.

    Raises CourseError when two of them have the same number.
    """
    steps = {}
    for folder in sorted(file.parent for file in root.glob("step[0-9][0-9]_*/manage.py")):
        other = steps.setdefault(number_of(folder.name), folder)
        if other != folder:
            raise CourseError(
                f"{other.name} and {folder.name} have the same number. "
                "Rename the copy to a name that doesn't begin with step."
            )
    return steps


STEPS = find_steps(ROOT)


def find_step(text):
    """Return the folder of the step that is named so: 3, step3 or step03_echo_consumer/.

    Raises CourseError when there is none.
    """
    found = re.fullmatch(r"(?:step)?(\d+)(_\w*)?/?", text, re.ASCII)
    folder = STEPS.get(int(found[1])) if found else None
    if folder is None:
        raise CourseError(f"There is no step {text!r}, only {min(STEPS)} to {max(STEPS)}")
    return folder


def command_of(step, command="step"):
    """Return what serves the step in that folder, or another command for it, as it is typed."""
    if step == PLAYGROUND:
        return "make play" if command == "step" else f"make {command} play"
    return f"make {command} {number_of(step.name)}"


def needs_redis(step):
    """Return whether the step in that folder uses Redis."""
    requirements = step / "requirements.txt"
    return requirements.exists() and "channels-redis" in requirements.read_text()
