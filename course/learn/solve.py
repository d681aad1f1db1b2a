"""make solve: a file of the finished step, or all of them, put into the playground."""

import os
import shutil
from difflib import get_close_matches
from pathlib import PurePosixPath

from course.errors import CourseError, name_some
from course.learn.playground import (
    in_one_sentence,
    list_files,
    list_playground,
    read,
    read_playground,
    save_copy,
    say_saved,
)
from course.learn.progress import note
from course.steps import PLAYGROUND, ROOT, STEPS


def solve(file=None):
    """Write the finished file of the step, or all of them, into the playground; return 0."""
    playground = read_playground()
    before, finished = STEPS[playground.number - 1], list_files(playground.step)
    known = sorted({*finished, *list_files(before)})
    paths = [find_path(file, known)] if file else known
    differing = [path for path in paths if not same(playground.step / path, PLAYGROUND / path)]
    if not differing:
        print(f"{file or 'Everything'} is as in {playground.step.name} already.")
        return 0
    saved = save_copy("solve")
    with in_one_sentence():
        for path in differing:
            put(playground.step / path, PLAYGROUND / path)
    note(playground.number, solved=paths[0] if file else "all")
    print(f"As in {playground.step.name}: {name_some(differing)}")
    say_saved(saved)
    for path in list_playground():
        if "/migrations/" in path and path not in known:
            print(f"{path} is yours. If it does what one of these does, remove it.")
    print("To go on, type: make check")
    return 0


def same(first, second):
    return read(first) == read(second)


def find_path(file, known):
    """Return the path in a step that the user has named, however that was."""
    path = PurePosixPath(os.path.relpath(file, ROOT) if os.path.isabs(file) else file)
    if path.parts and (ROOT / path.parts[0] in [*STEPS.values(), PLAYGROUND]):
        path = PurePosixPath(*path.parts[1:])
    if str(path) not in known:
        alike = [name for name in known if PurePosixPath(name).name == path.name]
        alike = alike or get_close_matches(str(path), known, 1, 0.3) or known
        raise CourseError(f"FILE={file!r} is no file of the step. Type: make solve FILE={alike[0]}")
    return str(path)


def put(source, file):
    """Make a file like another, which may not exist; it is never half written."""
    if not source.exists():
        file.unlink(missing_ok=True)
        return
    file.parent.mkdir(parents=True, exist_ok=True)
    if not file.parent.resolve().is_relative_to(PLAYGROUND.resolve()):
        raise CourseError(f"{file.parent} is a link to elsewhere. Make it a folder.")
    new = file.with_name(f".{file.name}.new")
    try:
        shutil.copy(source, new)
        new.replace(file)
    finally:
        new.unlink(missing_ok=True)
