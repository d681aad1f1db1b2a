"""make export: the course as a git history, with a commit and a tag for each step."""

import re

from course.errors import CourseError, say
from course.git import find_tree, need_repository, run_git
from course.steps import STEPS

BRANCH, TAGS = "refs/heads/course", "refs/tags/course/"
EMAIL = "mychannels@localhost"
MOMENT = "2026-01-01T00:00:00+0000"  # always the same: so the hashes are, too
SIGNATURE = {
    f"GIT_{role}_{name}": value
    for role in ["AUTHOR", "COMMITTER"]
    for name, value in [("NAME", "mychannels"), ("EMAIL", EMAIL), ("DATE", MOMENT)]
}


def export():
    """Write the branch `course` and the tags `course/step01` ... from HEAD; return the exit status.

    No work tree and no index is touched. Raises CourseError when the names are taken by something
    that this hasn't written.
    """
    need_repository("export")
    existing = read_existing()
    if run_git("status", "--porcelain", "--", *(folder.name for folder in STEPS.values())):
        say("What isn't committed in the steps is not in it.")
    commits, parent = {}, []
    for number, folder in STEPS.items():
        if not (tree := find_tree("HEAD", folder)):
            raise CourseError(f"{folder.name} isn't committed. Commit it, then type: make export")
        message = message_of(folder).encode()
        made = run_git("commit-tree", tree, *parent, "-F", "-", stdin=message, **SIGNATURE)
        commits[f"{TAGS}step{number:02}"] = made.decode().strip()
        parent = ["-p", made.decode().strip()]
    refs = commits | {BRANCH: parent[-1]}
    lines = [f"update {name} {commit}" for name, commit in refs.items()]
    lines += [f"delete {name}" for name in existing if name not in refs]
    run_git("update-ref", "-m", "make export", "--stdin", stdin="\n".join(lines).encode() + b"\n")
    for name, commit in commits.items():
        print(f"{commit[:10]}  {name.removeprefix('refs/tags/')}")
    print("The course is the branch course. Type: git log -p --reverse course --")
    return 0


def read_existing():
    """Return the names of our branch and tags that are there; raise CourseError if not all ours."""
    checked_out = run_git("worktree", "list", "--porcelain").decode().splitlines()
    if f"branch {BRANCH}" in checked_out:
        raise CourseError("You are on the branch course. Type: git switch -")
    form = "--format=%(refname) %(committeremail)%(taggeremail)"
    rows = run_git("for-each-ref", form, BRANCH, TAGS).decode().splitlines()
    for row in rows:
        name, _, email = row.partition(" ")
        if email != f"<{EMAIL}>":
            short = re.sub("^refs/(heads|tags)/", "", name)
            cure = "git branch -m course my-course" if name == BRANCH else f"git tag -d {short}"
            raise CourseError(f"{short} isn't from make export, so it stays. Type: {cure}")
    return [row.split()[0] for row in rows]


def message_of(folder):
    """Return the commit message of a step: the title of its README, and what is new in it."""
    readme = run_git("show", f"HEAD:{folder.name}/README.md").decode()
    title = readme.splitlines()[0].lstrip("# ")
    section = re.search(r"^## What is new\n+(.*?)(?=^## |\Z)", readme, re.MULTILINE | re.DOTALL)
    return f"{title}\n\n{section[1] if section else ''}".strip() + "\n"
