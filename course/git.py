"""What the course asks of git. In a folder that is no clone it keeps a repository in build/git."""

import os
import re
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path

from course.errors import CourseError
from course.steps import ROOT
from course.venv import BUILD, environ

NOTHING = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"  # the tree without files
CONFIG = {  # settings that would change what git stores or shows
    "core.attributesFile": os.devnull,
    "core.autocrlf": "false",
    "core.quotePath": "false",
    "core.safecrlf": "false",
    "diff.suppressBlankEmpty": "false",
}
OPTIONS = [word for item in CONFIG.items() for word in ("-c", "=".join(item))]
CURES = {
    "dubious ownership": "The folder belongs to another user, so git refuses it. "
    f"Type: git config --global --add safe.directory '{ROOT}'",
    "insufficient permission|Permission denied": "Files in .git belong to another user. "
    'Type: sudo chown -R "$(id -un)" .',
    r"index\.lock": "Another git is at work in this folder, or was killed. "
    "If none is, type: rm .git/index.lock",
    "promisor|could not fetch": "This clone was made without all files, and they can't be fetched. "
    "With a network, type: git fetch --refetch",
    "does not have a commit checked out": "A step has a git repository of its own. "
    "Move its folder .git elsewhere, then type the same again.",
}


def run_git(*arguments, stdin=b"", accept=(0,), **variables):
    """Run git in the course's folder, where the user's configuration matters little.

    Return its output. `variables` are added to its environment. Raises CourseError, with a cure or
    with what git has said, when there is no git or when its exit status is none of `accept`.
    """
    run = start_git(*OPTIONS, *arguments, input=stdin, capture_output=True, variables=variables)
    if run.returncode:
        said = run.stderr.decode(errors="replace")
        if cures := [cure for pattern, cure in CURES.items() if re.search(pattern, said)]:
            raise CourseError(cures[0])
        if run.returncode not in accept:
            errors = re.findall("(?m)^(?:error|fatal): (.*)", said) or said.splitlines()
            raise CourseError(f"git failed: {errors[-1]}")
    return run.stdout


def start_git(*arguments, variables=(), **options):
    """Run git in the course's folder; return what subprocess does."""
    try:
        return subprocess.run(
            ["git", *arguments], cwd=ROOT, env=environ(LC_ALL="C") | dict(variables), **options
        )
    except FileNotFoundError:
        raise CourseError("git is missing. Install it, then type the same again.") from None


@cache
def repository():
    """Return the folder of the course's own git repository, None if it is in none."""
    found = run_git("rev-parse", "--show-toplevel", "--absolute-git-dir", accept=(0, 128))
    top, _, git_dir = os.fsdecode(found).strip().partition("\n")
    return Path(git_dir) if top and Path(top).resolve() == ROOT else None


def need_repository(command):
    """Raise CourseError if the course is in no git repository of its own."""
    if not repository():
        raise CourseError(
            f"make {command} needs the history of the course, and this folder is no clone. "
            "Type: git clone, with the address of the course"
        )


@cache
def location():
    """Return the variables that tell git which repository and files to use."""
    folder = repository() or BUILD / "git"
    if not (folder / "HEAD").exists():
        BUILD.mkdir(exist_ok=True)
        run_git("init", "--quiet", "--bare", "--template=", folder)
    return {"GIT_DIR": str(folder), "GIT_WORK_TREE": str(ROOT)}


def snapshot():
    """Return the id of a git tree with the course as it is now.

    It has the files that git tracks, and those that nothing tells it to ignore. The index stays as
    it is.
    """
    with tempfile.TemporaryDirectory() as temporary:
        index = Path(temporary, "index")
        if repository() and (repository() / "index").exists():
            # With its time: git reads only the files that changed since then.
            shutil.copy2(repository() / "index", index)
        variables = location() | {"GIT_INDEX_FILE": str(index)}
        run_git("add", "--all", **variables)
        return run_git("write-tree", **variables).decode().strip()


def find_tree(revision, folder):
    """Return the id of the tree of a folder in a revision or a tree of all; None without it."""
    named = f"{revision}:{folder.relative_to(ROOT).as_posix()}"
    found = run_git("rev-parse", "--verify", "--quiet", named, accept=(0, 1, 128), **location())
    return None if found.startswith(b"^") else found.decode().strip() or None


def tree_with(texts):
    """Return the id of a git tree with those texts, by path."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary, "files")
        for path, text in texts.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(text.encode(errors="surrogateescape"))
        index = {"GIT_WORK_TREE": str(folder), "GIT_INDEX_FILE": str(Path(temporary, "index"))}
        run_git("-C", folder, "add", "--all", "--force", **location() | index)
        return run_git("write-tree", **location() | index).decode().strip()


def tree_of(folder):
    """Return the id of the tree of a folder of the course as it is now."""
    return find_tree(snapshot(), folder) or NOTHING
