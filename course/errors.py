"""What goes wrong because of something that the user can change."""

import sys

SOME = 5  # names in a sentence


class CourseError(Exception):
    """One line that says what is wrong and what to type instead; the exit status is 2."""


def say(text):
    """Print a line for people, which isn't part of a command's output."""
    print(text, file=sys.stderr, flush=True)


def name_some(names):
    """Return the first names of a list, as part of a sentence, and the number of the others."""
    more = f" and {len(names) - SOME} more" if len(names) > SOME else ""
    return ", ".join(names[:SOME]) + more
