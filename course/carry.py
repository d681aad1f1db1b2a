"""make carry N: what changed in a step goes into every later one, step after step."""

import os
import sys
import tempfile
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from course import journal
from course.errors import CourseError
from course.git import need_repository, read_blobs, run_git, store, tree_at, tree_of
from course.merge import find_marks, merge_file
from course.steps import ROOT, STEPS, number_of
from course.testing import run_tests


@dataclass
class Merged:
    """A step and what is merged into it; files are git's mode and the content, by path."""

    folder: Path
    ours: dict  # the files as they are
    before: dict  # the same, without what they had already of the change that is merged
    after: dict
    rows: list = field(default_factory=list)  # of paths and what happens there
    conflicts: dict = field(default_factory=dict)  # what merge_file says, by path

    def writes(self):
        """Return the files that are touched, now and then, by their names in the course."""
        paths = {path for path, _ in self.ours.items() ^ self.after.items()} | {*self.conflicts}
        return {
            f"{self.folder.name}/{path}": (self.ours.get(path), self.after.get(path))
            for path in sorted(paths)
        }


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
            "Mend that, then type: make carry-continue"
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
    plan = list(cascade(folder, old, new))
    if plan:
        show(plan)
    writes = {name: files for step in plan for name, files in step.writes().items()}
    if os.environ.get("DRY"):
        return 0
    if writes and not agreed():
        print("Nothing was written.")
        return 0
    state["conflicts"] = []
    if plan and plan[-1].conflicts:
        last = plan[-1]
        found = [[f"{last.folder.name}/{path}", *how] for path, how in last.conflicts.items()]
        state |= {"at": last.folder.name, "old": write_tree(last.before), "conflicts": found}
    journal.prepare(state, writes)
    return write(state)


def write(state):
    """Write what is planned, and say or do what comes next; return the exit status."""
    journal.write(state)
    if state["conflicts"]:
        for name, why, size in state["conflicts"]:
            for place in [*places(name, size)] or [name]:
                print(f"CONFLICT in {place}: {why}")
        print("Mend that, then type: make carry-continue")
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


def cascade(folder, old, new):
    """Give a Merged for each step that the change reaches, up to the first with a conflict.

    `old` and `new` are trees of the step in `folder`. They are merged into the step after it, and
    what that changes there is merged into the next one.
    """
    from course.hunks import compare

    for later in steps_after(folder):
        if old == new:
            return
        tree = tree_of(later)
        moves = [c for c in compare(old, tree) if c.kind == "renamed" and c.old]  # empty: by chance
        moved = {change.old_path: change.path for change in moves}
        files, versions = read_tree(tree), (read_tree(old), read_tree(new))
        step = Merged(later, files, dict(files), dict(files))
        for pair in find_pairs(compare(old, new), files):
            merge_pair(step, folder.name, *pair, *versions, moved)
        yield step
        if step.conflicts:
            return
        folder, old, new = later, write_tree(step.before), write_tree(step.after)


def find_pairs(changes, ours):
    """Give the path before and after of each change, removed files first."""
    for change in sorted(changes, key=lambda change: change.kind != "removed"):
        pair = change.old_path, change.path
        both = {*pair} <= ours.keys()  # so the new name isn't free
        yield from [(path, path) for path in dict.fromkeys(pair)] if both else [pair]


def merge_pair(step, source, path, target, old, new, moved):
    """Merge into the step what has become of a file of the step `source`.

    It was `path` in the files `old` and is `target` in the files `new`; where the step itself has
    `moved` the file, there it stays.
    """
    here = next((p for p in (path, moved.get(path), target) if p in step.ours), None)
    place = target if here in {path, None} else here
    base, ours, theirs = old.get(path), step.ours.get(here), new.get(target)
    if base and theirs and not ours:
        step.rows.append((place, "left alone: not in this step"))
        return
    merged, conflict = merge_file(base, ours, theirs, (step.folder.name, source))
    if merged and place != here and in_the_way(place, step.after.keys() - {here}):
        merged, conflict = ours, (f"{place} can't be there beside what is there", 0)
        place = here or place
    renames = here is not None and here != place
    what = describe(ours, merged, renames, conflict)
    step.rows.append((f"{here} -> {place}" if renames else place, what))
    move(step.after, here, place, merged)
    if conflict:
        step.conflicts[place] = conflict
    if what == "already there":  # the next step may not have it
        undone, conflict = merge_file(theirs, ours, base, ("", ""))
        if not conflict:
            move(step.before, here, path if here in {None, target} else here, undone)


def in_the_way(path, others):
    """Tell whether a path is taken, by a file or by a folder, or its folder is by a file."""
    return any(f"{one}/".startswith(f"{path}/") or path.startswith(f"{one}/") for one in others)


def move(files, here, place, file):
    """Put a file, None for no file, in the place of the one that is `here`."""
    files.pop(here, None)
    if file:
        files[place] = file


def describe(ours, merged, renames, conflict):
    if conflict:
        return f"CONFLICT: {conflict[0]}"
    if merged == ours and not renames:
        return "already there"
    if not (ours and merged):
        return "added" if merged else "removed"
    return "renamed" if renames else "changed"


def read_tree(tree):
    """Return the files of a tree."""
    output = run_git("ls-tree", "-r", "-z", "--full-tree", tree, **store())
    rows = [row.partition("\t") for row in os.fsdecode(output).split("\0")[:-1]]
    metas = {path: meta.split() for meta, _, path in rows}
    contents = read_blobs([blob for _, _, blob in metas.values()])
    return {path: (mode, contents[blob]) for path, (mode, _, blob) in metas.items()}


def write_tree(files):
    """Return the tree that has those files."""
    with tempfile.TemporaryDirectory() as folder:
        for path, file in files.items():
            journal.create(Path(folder, path), file)
        return tree_of(Path(folder))


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
        print(f"What comes after {plan[-1].folder.name} is seen once that is mended.")


def agreed():
    """Return the answer to whether to carry, which is yes if there is nobody to ask."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        return True
    with suppress(EOFError):
        return input("Carry it? [Y/n] ").strip().lower() in {"", "y", "yes"}
    return False
