"""What the course asks of git. It keeps its own objects in build/git and changes no others."""

import os
import subprocess
import tempfile
from functools import cache
from pathlib import Path

from course.errors import CourseError
from course.steps import ROOT

STORE = ROOT / "build" / "git"
NOTHING = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"  # the tree without files
IGNORED = ROOT / ".gitignore"
ASIDE = {  # what would make our git do as the user's
    "GIT_ATTR_NOSYSTEM": "1",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_COUNT": "1",
    "GIT_CONFIG_KEY_0": "core.attributesFile",
    "GIT_CONFIG_VALUE_0": os.devnull,
    "LC_ALL": "C",
}


def run_git(*arguments, stdin=b"", accept=(0,), **variables):
    """Run git in the course's folder, with the user's configuration set aside; return its output.

    `variables` are added to its environment. Raises CourseError, with what git has said, when there
    is no git or when its exit status is none of `accept`.
    """
    environ = {k: v for k, v in os.environ.items() if not k.startswith("GIT_")}
    environ |= ASIDE | {name: str(value) for name, value in variables.items()}
    try:
        run = subprocess.run(
            ["git", *arguments], cwd=ROOT, env=environ, input=stdin, capture_output=True
        )
    except FileNotFoundError:
        raise CourseError("git is missing. Install it, then type the same again.") from None
    if run.returncode not in accept:
        said = run.stderr.decode(errors="replace").splitlines()
        errors = [line for line in said if line.startswith(("error:", "fatal:"))] or said or [""]
        raise CourseError(f"git has failed: {errors[0]}")
    return run.stdout


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
def store():
    """Return the variables with which git sees our objects and those of the repository."""
    if not (STORE / "HEAD").exists():
        STORE.parent.mkdir(exist_ok=True)
        run_git("init", "--quiet", "--bare", "--template=", STORE)
    others = run_git("rev-parse", "--git-path", "objects") if repository() else b""
    objects = ROOT / os.fsdecode(others).strip()
    return {"GIT_DIR": STORE} | ({"GIT_ALTERNATE_OBJECT_DIRECTORIES": objects} if others else {})


def tree_of(folder):
    """Return the id of the tree of a folder as it is now, without what the course ignores."""
    with tempfile.TemporaryDirectory() as temporary:
        variables = store() | {"GIT_WORK_TREE": folder, "GIT_INDEX_FILE": f"{temporary}/index"}
        run_git("-C", folder, "-c", f"core.excludesFile={IGNORED}", "add", "--all", **variables)
        return run_git("write-tree", **variables).decode().strip()


def tree_at(revision, folder):
    """Return the id of the tree that a folder has in a revision of the repository."""
    found = run_git("rev-parse", "--verify", "--quiet", f"{revision}:{folder.name}", accept=(0, 1))
    if not found or found.startswith(b"^"):
        raise CourseError(f"There is no {folder.name} in revision {revision!r}.")
    return found.decode().strip()


def read_tree(tree):
    """Return git's mode and the id of each file of a tree, by path."""
    output = run_git("ls-tree", "-r", "-z", "--full-tree", tree, **store())
    rows = [row.partition("\t") for row in os.fsdecode(output).split("\0")[:-1]]
    return {path: tuple(meta.split()[::2]) for meta, _, path in rows}


def write_tree(files):
    """Return the id of the tree that has those files, which are as `read_tree` has them."""
    rows = "".join(f"{mode} {blob}\t{path}\0" for path, (mode, blob) in files.items())
    with tempfile.TemporaryDirectory() as temporary:
        variables = store() | {"GIT_INDEX_FILE": f"{temporary}/index"}
        run_git("update-index", "-z", "--index-info", stdin=os.fsencode(rows), **variables)
        return run_git("write-tree", **variables).decode().strip()


def read_blobs(ids):
    """Return the contents of git's blobs, as bytes by id; raise CourseError if one isn't there."""
    output = run_git("cat-file", "--batch", stdin="\n".join(ids).encode(), **store())
    contents, at = {}, 0
    for blob in ids:
        start = output.index(b"\n", at) + 1
        if output[at:start].endswith(b" missing\n"):
            raise CourseError("There is another git repository in a step. Move it elsewhere.")
        size = int(output[at:start].split()[2])
        contents[blob] = output[start : start + size]
        at = start + size + 1
    return contents
