"""The learner's folder, in which step N-1 becomes step N, and the copies that are saved of it.

make start, make play and make restore. What is written is complete before it gets its
name, so that whatever ends a command loses nothing.
"""

import hashlib
import json
import os
import re
import shutil
import sqlite3
import stat
import tempfile
import time
import zipfile
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path, PurePosixPath

from course.errors import CourseError
from course.git import find_tree, run_git, snapshot
from course.steps import PLAYGROUND, ROOT, STEPS, number_of

SAVED = ROOT / "playground.saved"
STATE = ".course.json"  # which step it is, and what it began with
DATABASE = "db.sqlite3"
LEFT_BEHIND = 3600  # seconds after which a temporary folder is nobody's
UNPACKED = 50_000_000  # bytes that a zip file may hold
# What is in a step's folder and no learner has to type.
ASIDE = re.compile(
    rf"README\.md|Makefile|{re.escape(STATE)}|db\.sqlite3.*|(.*/)?(__pycache__|\..*|.*~)(/.*)?"
    r"|(venv|env|node_modules)/.*"
)
README = """\
# Your playground: {before}, to become {after}

This folder began as the end of `{before}`. Type the changes of the chapter into it:
`docs/step{number:02}.md` in the course. These commands work in here and in the folder above:

- `make play` serves it, `make check` says how far it is, `make watch` does so whenever you save;
- `make hint` helps with the next change, `make solve FILE=...` writes a finished file;
- `make start {next}` goes on; what is here is saved first, and `make restore` brings it back.
"""


@dataclass
class Playground:
    """What is known about the playground: the step that is written in it, and its beginning."""

    number: int
    begun: str  # when, as ISO 8601
    base: dict  # the texts of the step before, by path
    target: dict  # digests of the finished step's texts, by path

    @property
    def step(self):
        return STEPS[self.number]

    @property
    def title(self):
        return f"playground, step {self.number}"


def start(step, from_=None):
    """Make the playground what a step begins with; return 0.

    `from_` is the path of a zip file with a step's folder to go on with. What was in the playground
    is saved, and its database is used if it can be.
    """
    number = number_of(step.name)
    if number == 1:
        raise CourseError(
            "Step 1 is given: serve it with make step 1, and read docs/step01.md. "
            "To write the next one, type: make start 2"
        )
    before = STEPS[number - 1]
    with new_folder() as folder:
        base = {path: read(before / path) for path in list_files(before)}
        if from_:
            unpack(Path(from_), folder, number)
        else:
            for path in base:
                (folder / path).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(before / path, folder / path)
        if (before / "Makefile").exists():
            shutil.copy(before / "Makefile", folder)
        words = {"before": before.name, "after": step.name, "number": number}
        words["next"] = min(number + 1, max(STEPS))
        (folder / "README.md").write_text(README.format_map(words))
        target = {path: digest(read(step / path)) for path in list_files(step)}
        begun = datetime.now().isoformat(timespec="seconds")
        state = {"step": number, "begun": begun, "base": base, "target": target}
        (folder / STATE).write_text(json.dumps(state))
        database = take_database(folder)
        saved = replace_playground(folder, "start")
    print(f"playground/ is {from_ or f'the end of {before.name}'}. Make it {step.name}:")
    print(f"    make diff {number} shows the changes, docs/step{number:02}.md explains them.")
    print("    make play serves it, make check says how far it is.")
    if saved:
        say_saved(saved)
    if database:
        print(database)
    return 0


def play(**options):
    """Serve the playground, as serve() does a step."""
    from course.learn.serve import serve  # not in a browser tab, which has no processes

    playground = read_playground()
    return serve(PLAYGROUND, shown=playground.title, **options)


def restore(from_=None):
    """List the saved copies of the playground, or bring back the one of that name; return 0."""
    names = sorted(file.parent.name for file in SAVED.glob(f"step*/{STATE}"))
    if not from_:
        for name in names:
            print(f"{name}    make restore FROM={name}")
        if not names:
            print("Nothing is saved yet. make start and make solve save what they replace.")
        return 0
    name = Path(from_).name
    if name not in names:
        example = f"Type: make restore FROM={names[-1]}" if names else "Nothing is saved yet"
        raise CourseError(f"FROM={from_!r} is no saved playground. {example}")
    with new_folder() as folder:
        shutil.copytree(SAVED / name, folder, symlinks=True, dirs_exist_ok=True)
        saved = replace_playground(folder, "restore")
    print(f"playground/ is {name} again.")
    if saved:
        say_saved(saved)
    return 0


def read_playground():
    """Return the Playground; raise CourseError if there is none that can be read."""
    if not os.path.lexists(PLAYGROUND):
        raise CourseError("There is no playground yet. Type: make start 2")
    try:
        state = json.loads((PLAYGROUND / STATE).read_text())
        return Playground(STEPS[state["step"]].name and state["step"], state["begun"],
                          dict(state["base"]), dict(state["target"]))  # fmt: skip
    except (OSError, ValueError, KeyError, TypeError):
        raise CourseError(
            f"playground/{STATE} is missing or damaged, so the step isn't known. "
            "Type make start with its number (what is there is saved first), or: make restore"
        ) from None


def list_files(step):
    """Return the paths of a step's files as git knows them, without those in ASIDE."""
    tree = find_tree(snapshot(), step)
    names = run_git("ls-tree", "-r", "--name-only", "-z", tree).decode(errors="surrogateescape")
    return [name for name in names.split("\0") if name and not ASIDE.fullmatch(name)]


def list_playground(folder=PLAYGROUND):
    """Return the paths of the learner's files, without those in ASIDE."""
    found = []
    for top, folders, names in os.walk(folder):
        below = Path(top).relative_to(folder)
        folders[:] = [name for name in folders if not ASIDE.fullmatch(f"{below / name}/x")]
        found += [(below / name).as_posix() for name in names]
    return sorted(path for path in found if not ASIDE.fullmatch(path))


def read(file):
    """Return the text of a file, its line ends as they are; None without a file."""
    if not file.is_file():
        return None
    return file.read_bytes().decode(errors="surrogateescape")


def digest(text):
    return hashlib.sha256(text.encode(errors="surrogateescape")).hexdigest()[:16]


@contextmanager
def in_one_sentence():
    """Turn what the system refuses into a CourseError."""
    try:
        yield
    except (OSError, shutil.Error) as error:
        if isinstance(error, shutil.Error):  # has all of them, as (from, to, reason)
            name, _, why = error.args[0][0]
        else:
            name = error.filename2 or error.filename or PLAYGROUND
            why = error.strerror or error
        shown = os.path.relpath(name, ROOT)
        raise CourseError(
            f"{shown}: {why}. Nothing of yours was lost. Fix that, then type the same again."
        ) from None


@contextmanager
def new_folder():
    """Yield an empty folder beside the saved ones, which is removed if it is still there."""
    with in_one_sentence():
        SAVED.mkdir(exist_ok=True)
        remove_old(SAVED.glob(".new-*"))
        folder = Path(tempfile.mkdtemp(prefix=".new-", dir=SAVED))
        folder.chmod(0o755)
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def remove_old(folders):
    """Remove temporary folders of commands that were killed."""
    for folder in folders:
        with suppress(OSError):
            if time.time() - folder.stat().st_mtime > LEFT_BEHIND:
                shutil.rmtree(folder, ignore_errors=True)


def replace_playground(folder, command):
    """Make a folder the playground; return the name under which the other is saved, if any."""
    saved = None
    if os.path.lexists(PLAYGROUND):
        if PLAYGROUND.is_symlink() or not PLAYGROUND.is_dir():
            raise CourseError("playground is no folder. Move it away, then type the same again.")
        saved = name_for_copy(command)
        PLAYGROUND.rename(SAVED / saved)
    folder.rename(PLAYGROUND)
    return saved


def save_copy(command):
    """Copy the playground to the saved ones before a command; return its name there."""
    with new_folder() as folder:
        shutil.copytree(PLAYGROUND, folder, symlinks=True, dirs_exist_ok=True)
        name = name_for_copy(command)
        folder.rename(SAVED / name)
    return name


def name_for_copy(command):
    """Return a name for a copy that isn't taken: the step, the time, and the command after it."""
    try:
        step = f"step{read_playground().number:02}"
    except CourseError:
        step = "step00"
    name = f"{step}-{datetime.now():%Y-%m-%d-%H%M%S}-before-{command}"
    taken = (f"{name}-{n}" for n in range(2, 1000) if not (SAVED / f"{name}-{n}").exists())
    return next(taken) if (SAVED / name).exists() else name


def say_saved(name):
    print(f"What was there is in playground.saved/{name}. To have it back, type:")
    print(f"    make restore FROM={name}")


def take_database(folder):
    """Copy the playground's database into a new folder, if that knows all of its migrations.

    Return what is to be said about it.
    """
    old, unknown = PLAYGROUND / DATABASE, []
    if not old.is_file():
        return None
    uri = f"{old.as_uri()}?mode=ro"
    with suppress(sqlite3.Error), closing(sqlite3.connect(uri, uri=True)) as source:
        rows = source.execute("SELECT app, name FROM django_migrations").fetchall()
        unknown = [
            f"{app}/migrations/{name}.py"
            for app, name in rows
            if (PLAYGROUND / app / "migrations").is_dir() or (folder / app).is_dir()
            if not (folder / app / "migrations" / f"{name}.py").is_file()
        ]
        if not unknown:
            with closing(sqlite3.connect(folder / DATABASE)) as copy:
                source.backup(copy)
            return "The database has come along."
    why = f"this step has no {unknown[0]}" if unknown else "it can't be read"
    return f"The database stays with what was saved, and a new one is made: {why}."


def unpack(file, folder, number):
    """Unpack a zip file with a step's folder, or what is in one, into a folder."""
    typed = f"Type: make start {number} FROM=..."
    try:
        with zipfile.ZipFile(file) as archive:
            members = [info for info in archive.infolist() if not info.is_dir()]
            names = [PurePosixPath(info.filename) for info in members]
            manage = min((n for n in names if n.name == "manage.py"), key=lambda n: len(n.parts),
                         default=None)  # fmt: skip
            if manage is None:
                raise CourseError(f"{file} has no manage.py, so it is no step's folder. {typed}")
            if sum(info.file_size for info in members) > UNPACKED:
                raise CourseError(f"{file} holds more than {UNPACKED // 10**6} MB. {typed}")
            for info, name in zip(members, names, strict=True):
                if stat.S_ISLNK(info.external_attr >> 16) or not name.is_relative_to(manage.parent):
                    continue
                path = name.relative_to(manage.parent)
                if path.is_absolute() or ".." in path.parts or "\\" in str(path):
                    raise CourseError(f"{file} has a file outside of its folder: {name}. {typed}")
                if not ASIDE.fullmatch(str(path)):
                    (folder / path).parent.mkdir(parents=True, exist_ok=True)
                    (folder / path).write_bytes(archive.read(info))
    except FileNotFoundError:
        raise CourseError(f"There is no file {file}. {typed}") from None
    except (zipfile.BadZipFile, IsADirectoryError, NotImplementedError, RuntimeError):
        raise CourseError(f"{file} can't be read as a zip file. {typed}") from None
