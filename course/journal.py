"""Files of the course are replaced all or none: what they were and will be is noted beforehand.

The note is a state, a dict that JSON can hold: `files` has for each name, which is the path in the
course, the file before and after, as git's mode and the id of a blob in build/git or None for no
file; `pending` has the names that are still to be written.
"""

import json
import os
import shutil
from contextlib import suppress
from itertools import count

from course.errors import CourseError
from course.git import read_blobs
from course.steps import ROOT

FOLDER = ROOT / "build" / "carry"
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
    """Note what is to be written, as in a state. From now on it is unfinished.

    Raises CourseError if another file is there by now.
    """
    for name, (before, _) in load_files(files).items():
        if read(ROOT / name) != content(before):
            raise CourseError(f"{name} was changed just now. Type the same again.")
    if "files" not in state:
        check_closed()
    state |= {"files": state.get("files", {}) | files, "pending": [*files]}
    save(state)


def write(state):
    """Write what is pending, but for files that somebody else has written since."""
    files = load_files({name: state["files"][name] for name in state["pending"]})
    pairs = files.items()
    put_all({name: new for name, (old, new) in pairs if read(ROOT / name) == content(old)})
    state["pending"] = []
    save(state)


def put_back(state):
    """Make all files what they were; return the names of those that others have written since.

    They are kept in a folder, which is returned as well.
    """
    folder = next(KEPT / str(n) for n in count(1) if not (KEPT / str(n)).exists())
    files, written = load_files(state["files"]), []
    for name, versions in files.items():
        if read(ROOT / name) not in (None, *map(content, versions)):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name, follow_symlinks=False)
            written.append(name)
    put_all({name: before for name, (before, _) in files.items()})
    return written, folder


def close():
    """Forget what was unfinished."""
    STATE.unlink()
    shutil.rmtree(FOLDER, ignore_errors=True)


def load_files(files):
    """Return the same files as in a state, with their contents in the place of ids."""
    blobs = read_blobs({file[1] for pair in files.values() for file in pair if file})
    return {
        name: [file and (file[0], blobs[file[1]]) for file in pair] for name, pair in files.items()
    }


def content(file):
    return file and file[1]


def put_all(files):
    """Write files, None for no file, by name; what goes, goes first. CourseError if one can't."""
    for name in sorted(files, key=lambda name: files[name] is not None):
        try:
            put(ROOT / name, files[name])
        except OSError as error:
            raise CourseError(
                f"{name} can't be written: {error.strerror}. Fix that, then type the same again."
            ) from None


def put(path, file):
    """Make it that file, at once, or remove it; the folders around it come and go with it."""
    if file:
        new = FOLDER / "new"
        new.unlink(missing_ok=True)
        mode, data = file
        if mode == LINK:
            new.symlink_to(os.fsdecode(data))
        else:
            new.write_bytes(data)
            if mode == "100755":
                new.chmod(new.stat().st_mode | 0o111)
        path.parent.mkdir(parents=True, exist_ok=True)
        os.replace(new, path)
        return
    if read(path) is not None:
        path.unlink()
    with suppress(OSError):  # until a folder isn't empty
        for folder in path.parents:
            with suppress(FileNotFoundError):
                folder.rmdir()


def read(path):
    """Return what is in a file, of a link where it leads, as bytes; None if there is no file."""
    if path.is_symlink():
        return os.fsencode(os.readlink(path))
    return path.read_bytes() if path.is_file() else None
