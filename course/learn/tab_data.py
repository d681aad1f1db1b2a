"""What a browser tab needs of the course to check a step: parts of its code, and the chapters."""

import pickle
import zipfile

from course.chapters import load_chapters
from course.learn.trial import PITFALLS, PLUGIN
from course.steps import ROOT, STEPS

MODULES = ["__init__", "chapters", "errors", "git", "hunks", "steps", "venv"]
MODULES += ["learn/__init__", "learn/check", "learn/examine", "learn/hint", "learn/playground"]
MODULES += ["learn/progress", "learn/solve", "learn/status", "learn/trial"]
CHAPTERS = "chapters.pickle"


def write_course_zip(file):
    """Write the zip file with which a tab checks a step, to a path or a file object.

    It has the paths of the course, and CHAPTERS with what git says about the steps. Of each step
    only manage.py is there, as course.steps looks for it.
    """
    paths = [ROOT / "course" / f"{module}.py" for module in MODULES]
    paths += [PLUGIN, PITFALLS, *(step / "manage.py" for step in STEPS.values())]
    contents = {path.relative_to(ROOT).as_posix(): path.read_bytes() for path in paths}
    chapters = load_chapters([number for number in STEPS if number > 1])
    write_zip(file, contents | {CHAPTERS: pickle.dumps(chapters)})


def write_zip(file, contents):
    """Write a zip file of contents, bytes by path; the same ones make the same file."""
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for path in sorted(contents):
            information = zipfile.ZipInfo(path)  # of 1980
            information.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(information, contents[path], compresslevel=9)
