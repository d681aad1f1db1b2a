"""Files of the course are replaced all or none: build/carry has them as they were and will be.

A file is git's mode and the content, None is no file; its name is the path in the course. What is
to be written, and what else is to be known for going on, is in a state: a dict that JSON can hold.
"""

import json
import os
import shutil
from contextlib import suppress
from itertools import count

from course.errors import CourseError
from course.steps import ROOT

FOLDER = ROOT / "build" / "carry"
BEFORE, AFTER = FOLDER / "before", FOLDER / "after"
STATE = FOLDER / "state.json"  # there as long as something is unfinished
KEPT = ROOT / "build" / "carry-aborted"
LINK = "120000"  # git's mode of a symbolic link


def load():
    """Return the state of what is unfinished; raise CourseError if nothing is."""
    if not STATE.exists():
        raise CourseError("No carry is unfinished. To begin one, type: make carry 1")
    return json.loads(STATE.read_text())


def check_closed():
    """Raise CourseError if something is unfinished."""
    if STATE.exists():
        raise CourseError(
            "A carry is unfinished. To go on with it, type: make carry-continue. "
            "To put everything back: make carry-abort"
        )


def save(state):
    FOLDER.mkdir(parents=True, exist_ok=True)
    new = STATE.with_suffix(".new")
    new.write_text(json.dumps(state))
    os.replace(new, STATE)


def prepare(state, files):
    """Note what is to be written: by name the file now and then. From now on it is unfinished.

    Raises CourseError if another file is there by now.
    """
    for name, (now, _) in files.items():
        if read(ROOT / name) != (now and now[1]):
            raise CourseError(f"{name} was changed just now. Type the same again.")
    if "files" not in state:
        check_closed()
        shutil.rmtree(FOLDER, ignore_errors=True)
    for name, (_, then) in files.items():
        put(ROOT / name, BEFORE / name)
        (AFTER / name).unlink(missing_ok=True)
        if then:
            create(AFTER / name, then)
    state["files"], state["pending"] = [*state.get("files", []), *files], [*files]
    save(state)


def write(state):
    """Write what is pending, but for files that somebody else has written since."""
    names = [name for name in state["pending"] if read(ROOT / name) == read(BEFORE / name)]
    put_all(AFTER, names)
    state["pending"] = []
    save(state)


def put_back(state):
    """Make all files what they were; return the names of those that others have written since.

    They are kept in a folder, which is returned as well.
    """
    folder = next(KEPT / str(n) for n in count(1) if not (KEPT / str(n)).exists())
    written = []
    for name in state["files"]:
        if read(ROOT / name) not in (None, read(BEFORE / name), read(AFTER / name)):
            put(ROOT / name, folder / name)
            written.append(name)
    put_all(BEFORE, state["files"])
    return written, folder


def close():
    """Forget what was unfinished."""
    STATE.unlink()
    shutil.rmtree(FOLDER, ignore_errors=True)


def put_all(folder, names):
    """Make the files of the course those in a folder; what isn't there goes first."""
    for name in sorted(names, key=lambda name: read(folder / name) is not None):
        put(folder / name, ROOT / name)


def put(source, target):
    """Make a file the same as another, or remove it if there is no other; CourseError if it can't.

    The folders around it come and go with it.
    """
    temporary = target.with_name(".carry-temporary")
    there = read(source) is not None
    try:
        for file in [temporary] if there else [temporary, target]:
            if read(file) is not None:
                file.unlink()
        if there:
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, temporary, follow_symlinks=False)
            os.replace(temporary, target)
            return
    except OSError as error:
        raise CourseError(
            f"{target} can't be written: {error.strerror}. Mend that, then type the same again."
        ) from None
    with suppress(OSError):  # until a folder isn't empty
        for folder in target.parents:
            with suppress(FileNotFoundError):
                folder.rmdir()


def read(file):
    """Return what is in a file, of a link where it leads, as bytes; None if there is no file."""
    if file.is_symlink():
        return os.fsencode(os.readlink(file))
    return file.read_bytes() if file.is_file() else None


def create(path, file):
    """Write a new file, and the folders around it."""
    mode, content = file
    path.parent.mkdir(parents=True, exist_ok=True)
    if mode == LINK:
        path.symlink_to(os.fsdecode(content))
        return
    path.write_bytes(content)
    if mode == "100755":
        path.chmod(path.stat().st_mode | 0o111)
