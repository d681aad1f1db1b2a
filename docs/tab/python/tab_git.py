"""What the course asks git, in a browser tab, which has none.

Import this before the modules of course.learn.
"""

import pickle

from course import chapters
from course.learn import playground
from course.steps import ROOT


def load_chapters(numbers):
    """Return the Chapter of each step by number, as it was when the tab's files were built."""
    known = pickle.loads((ROOT / "chapters.pickle").read_bytes())
    return {number: known[number] for number in numbers}


chapters.load_chapters = load_chapters
playground.list_files = playground.list_playground  # a step's folder has nothing else here
