"""What goes wrong because of something that the user can change."""

import sys


class CourseError(Exception):
    """One line that says what is wrong and what to type instead; the exit status is 2."""


def say(text):
    """Print a line for people, which isn't part of a command's output."""
    print(text, file=sys.stderr, flush=True)
