"""make carry N: what changed in a step is merged into every later one, by git."""

import os
import shlex
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from course import journal
from course.errors import CourseError
from course.export import SIGNATURE
from course.git import (
    STORE,
    need_repository,
    read_blobs,
    read_tree,
    run_git,
    store,
    tree_at,
    tree_of,
    write_tree,
)
from course.merge import find_marks, find_size
from course.steps import ROOT, STEPS, number_of
from course.testing import run_tests

DRIVER = [sys.executable, "-I", "-S", str(Path(__file__).with_name("merge.py"))]  # starts fast


@dataclass
class Merged:
    """A step and what a change makes of it."""

    folder: Path
    before: str  # its tree, without what it had already of the change
    rows: list  # of paths and what happens there
    files: dict  # what is touched, as the journal has it
    conflicts: list  # of names, why, and the size of the markers, 0 without any


def carry(folder):
    """Carry what changed in a step into the later ones and test them; return the exit status.

    SINCE and DRY in the environment say since when, and whether only to show it. Raises CourseError
    when another carry is unfinished or a later step has work that isn't committed.
    """
    journal.check_closed()
    need_repository("carry")
    if not steps_after(folder):
        raise CourseError(f"No step comes after {folder.name}. Type: make carry {min(STEPS)}")
    old, new = find_change(folder)
    if old == new:
        print(f"Nothing has changed in {folder.name}. To look further back, add SINCE=HEAD~2")
        return 0
    return go_on({"step": folder.name}, folder, old, new)


def carry_on():
    """Go on with the unfinished carry; return the exit status.

    Raises CourseError while there are conflict markers, and when no carry is unfinished.
    """
    state = journal.load()
    if state["pending"]:  # it was ended while it wrote
        return write(state)
    if marked := [place for name, _, size in state["conflicts"] for place in places(name, size)]:
        raise CourseError(
            f"Conflict markers are left in {', '.join(marked)}. "
            "Fix that, then type: make carry-continue"
        )
    folder = ROOT / state["at"]
    return go_on(state, folder, state["old"], tree_of(folder))


def abort():
    """Put back everything that the unfinished carry has touched; return the exit status.

    What others have written there since is kept. Raises CourseError when no carry is unfinished.
    """
    state = journal.load()
    written, kept = journal.put_back(state)
    journal.close()
    for name in written:
        print(f"What you have written into {name} is in {(kept / name).relative_to(ROOT)}")
    print(f"Everything is as it was before make carry {number_of(state['step'])}.")
    return 0


def steps_after(folder):
    return [step for step in STEPS.values() if step.name > folder.name]


def find_change(folder):
    """Return the trees of a step before and after what is to be carried."""
    new, since = tree_of(folder), os.environ.get("SINCE")
    old = tree_at(since or "HEAD", folder)
    if since or old != new:
        return old, new
    commit = run_git("rev-list", "-1", "HEAD", "--", folder.name).decode().strip()
    with suppress(CourseError):  # the step has come with that commit
        old = tree_at(f"{commit}^", folder)
    return old, new


def go_on(state, folder, old, new):
    """Carry the change of that step into those after it; return the exit status."""
    check_committed(steps_after(folder))
    plan = []
    for later in steps_after(folder) if old != new else []:
        plan.append(merge_into(later, folder, old, new))
        if plan[-1].conflicts:
            break
    if plan:
        show(plan)
    files = {name: pair for step in plan for name, pair in step.files.items()}
    if os.environ.get("DRY"):
        return 0
    if files and not agreed():
        print("Nothing was written.")
        return 0
    state["conflicts"] = []
    if plan and plan[-1].conflicts:
        last = plan[-1]
        state |= {"at": last.folder.name, "old": last.before, "conflicts": last.conflicts}
    journal.prepare(state, files)
    return write(state)


def write(state):
    """Write what is planned, and say or do what comes next; return the exit status."""
    journal.write(state)
    if state["conflicts"]:
        for name, why, size in state["conflicts"]:
            for place in [*places(name, size)] or [name]:
                print(f"CONFLICT in {place}: {why}")
        print("Fix that, then type: make carry-continue")
        print("To put everything back, type: make carry-abort")
        return 1
    journal.close()
    changed = sorted({name.split("/")[0] for name in state["files"]})
    if not changed:
        print("There is nothing to write.")
        return 0
    print(f"{state['step']} is carried into {', '.join(changed)}.", flush=True)
    return run_tests([ROOT / name for name in [state["step"], *changed]])


def places(name, size):
    """Give file:line of each conflict that is marked in a file; `size` is that of the markers."""
    content = journal.read(ROOT / name) or b""
    return (f"{name}:{number}" for number in find_marks(content, size))


def check_committed(folders):
    """Raise CourseError if files of these steps aren't as they were committed."""
    from course.hunks import compare

    trees = [(folder, tree_at("HEAD", folder), tree_of(folder)) for folder in folders]
    names = [f"{folder.name}/{c.path}" for folder, *pair in trees for c in compare(*pair)]
    if names:
        raise CourseError(
            f"Later steps have work that isn't committed: {', '.join(names)}. "
            "Commit it or take it back, then type the same again."
        )


def merge_into(later, folder, old, new):
    """Return the Merged of a later step for the change of the one in `folder` from old to new."""
    from course.hunks import compare

    tree, names = tree_of(later), (later.name, folder.name)
    merged, stages, reasons = merge_trees(old, tree, new, names)
    ours, after = read_tree(tree), read_tree(merged)
    alone = {path for path, found in stages.items() if "1" in found and "2" not in found}
    for path in alone:
        after.pop(path, None)
    rows = {c.path: (c.path, "already there") for c in compare(old, new) if c.path in ours}
    for c in compare(tree, write_tree(after)):
        rows[c.path] = (f"{c.old_path} -> {c.path}" if c.kind == "renamed" else c.path, c.kind)
    rows |= {path: (path, "left alone: not in this step") for path in alone}
    conflicts, blobs = [], read_blobs([blob for _, blob in after.values()])
    for path in stages.keys() - alone:
        size = find_size(blobs[after[path][1]], later.name) if path in after else 0
        other = "" if size else ", and not text"
        why = reasons.get(path, f"different in {later.name} and {folder.name}{other}")
        rows[path] = (rows.get(path, [path])[0], f"CONFLICT: {why}")
        conflicts.append([f"{later.name}/{path}", why, size])
    touched = {path for path, _ in ours.items() ^ after.items()} | stages.keys() - alone
    files = {f"{later.name}/{path}": [ours.get(path), after.get(path)] for path in sorted(touched)}
    before = undo(tree, old, new, names) if conflicts else tree
    return Merged(later, before, [rows[path] for path in sorted(rows)], files, sorted(conflicts))


def undo(tree, old, new, names):
    """Return a tree without what it has of a change from old to new: the next may not have it."""
    undone, stages, _ = merge_trees(new, tree, old, names)
    ours, files = read_tree(tree), read_tree(undone)
    for path in stages:  # it has them otherwise
        files.pop(path, None)
    return write_tree(files | {path: ours[path] for path in stages if path in ours})


def merge_trees(base, ours, theirs, names):
    """Merge trees as git does, but line by line: see course/merge.py.

    Return the tree, the stages of what is in conflict, by path, and by path what git says of those
    conflicts that aren't between contents. `names` are the folders of our side and theirs. Raises
    CourseError if git is too old.
    """
    start, *short = ("base", *(name[:6] for name in names))  # can be part of a file's new name
    commit(start, base)
    for name, tree in zip(short, (ours, theirs), strict=True):
        commit(name, tree, "-p", start)
    program, labels = (shlex.join(words).replace("%", "%%") for words in (DRIVER, names))
    options = ["merge.default=lines", f"merge.lines.driver={program} %A %O %B {labels}"]
    options = ["-c", "merge.directoryRenames=no", "-c", options[0], "-c", options[1]]
    command = ["-C", STORE, *options, "merge-tree", "--write-tree", "--messages", "-z", *short]
    output = run_git(*command, accept=(0, 1, 129), **store())
    if not output:
        raise CourseError("make carry needs git 2.38 or newer. Install it, then type it again.")
    return read_merge(output)


def read_merge(output):
    """Read what git merge-tree has written: the tree, stages and reasons by path."""
    fields = iter(os.fsdecode(output).split("\0")[:-1])
    tree, stages, reasons = next(fields), {}, {}
    for row in iter(fields.__next__, ""):
        meta, _, path = row.partition("\t")
        stages.setdefault(path, set()).add(meta.split()[2])
    for number in fields:
        paths = [next(fields) for _ in range(int(number))]
        kind, message = next(fields), next(fields)
        if kind.startswith("CONFLICT") and kind != "CONFLICT (contents)":
            for path in paths:
                reasons.setdefault(path, message.partition(": ")[2].strip())
    return tree, stages, reasons


def commit(name, tree, *parents):
    """Make a commit in our own repository, and a branch of that name."""
    made = run_git("commit-tree", tree, *parents, **SIGNATURE, **store()).decode().strip()
    run_git("update-ref", f"refs/heads/{name}", made, **store())


def show(plan):
    """Print what is to happen, a line for each step and file."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    table = Table("step", "file", "what happens", box=SIMPLE_HEAD)
    for column in table.columns:
        column.overflow = "fold"
    for step in plan:
        for path, what in step.rows:
            style = "red" if what.startswith("CONFLICT") else None
            name = path.encode(errors="replace").decode()
            table.add_row(step.folder.name, name, what, style=style)
    Console(markup=False, highlight=False, emoji=False).print(table)
    if plan and plan[-1].conflicts and steps_after(plan[-1].folder):
        print(f"Fix that to see what comes after {plan[-1].folder.name}.")


def agreed():
    """Return the answer to whether to carry, which is yes if there is nobody to ask."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        return True
    with suppress(EOFError):
        return input("Carry it? [Y/n] ").strip().lower() in {"", "y", "yes"}
    return False
