"""make carry N: what changed in a step goes into every later one, by `git apply --3way`."""

import json
import os
import re
import sys

from course.author.export import SIGNATURE
from course.errors import CourseError, name_some
from course.git import OPTIONS, find_tree, need_repository, repository, run_git, snapshot, start_git
from course.learn.test import run_tests
from course.steps import ROOT, STEPS, number_of

MARKER = re.compile(rb"^(<{7} |\|{7}( |\r?$)|={7}\r?$|>{7} )", re.MULTILINE)


def carry(step, since=None):
    """Carry what changed in a step into the later ones, and test them; return the exit status.

    That is what isn't committed, else its last commit, or with `since` all from that revision on.
    Raises CourseError when another carry is unfinished, or a later step has work that isn't
    committed and isn't from the last carry of this step.
    """
    need_repository("carry")
    last, later = read_state(), steps_after(step.name)
    if "waiting" in last:
        raise CourseError("A carry is unfinished. Type: make carry-continue, or: make carry-abort")
    if run_git("ls-files", "--unmerged"):
        raise CourseError("git has unresolved conflicts. Resolve them first, see: git status")
    if not later:
        raise CourseError(f"No step comes after {step.name}. Type: make carry {min(STEPS)}")
    now = snapshot()
    carried = last.get("step") == step.name and not differing(later, last["after"], now)
    if carried and differing(later, "HEAD", now) and not since:
        old, new = last["new"], find_tree(now, step)  # it isn't committed: carry what is new in it
        if old == new:
            print(f"All of {step.name} is carried already. To test it, type: make test")
            return 0
    else:
        check_committed(later, now)
        old, new = find_change(step, since, now)
    if old == new:
        print(f"Nothing has changed in {step.name}. To look further back, add SINCE=HEAD~2")
        return 0
    # The changes are pairs of trees, and the paths that they don't count for.
    state = {"step": step.name, "before": now, "new": new, "changes": [[old, new, []]]}
    write_state(state | {"waiting": later, "begun": None, "stopped": None, "last": last})
    return carry_waiting()


def carry_continue():
    """Go on with the unfinished carry; return the exit status.

    Raises CourseError while there are conflict markers, and when no carry is unfinished.
    """
    state = read_unfinished()
    if name := state["stopped"]:
        if marked := find_markers(name, state["conflicts"]):
            raise CourseError(
                f"Conflict markers are left in {', '.join(marked)}. "
                "Fix that, then type: make carry-continue"
            )
        run_git("add", "--all", "--", name)
        before, after = (find_tree(tree, ROOT / name) for tree in (state["before"], snapshot()))
        # From here on counts what this step has got, except for files that it hasn't got.
        got = [path for _, *paths in read_changes(before, after) for path in paths]
        for change in state["changes"]:
            change[2] += state["conflicts"] + got
        state["changes"].append([before, after, []])
        state |= {"waiting": state["waiting"][1:], "stopped": None}
        write_state(state)
    return carry_waiting()


def carry_abort():
    """Make the later steps what they were before the unfinished carry; return the exit status.

    Raises CourseError when no carry is unfinished.
    """
    state = read_unfinished()
    put_back(state, steps_after(state["step"]))
    write_state(state["last"])
    print(f"The later steps are as they were before make carry {number_of(state['step'])}.")
    return 0


def carry_waiting():
    """Carry the changes into the steps that wait for them, until one has a conflict."""
    state = read_state()
    run_git("add", "--all", "--", *steps_after(state["step"]))  # for git apply, which compares it
    while state["waiting"]:
        name = state["waiting"][0]
        if state["begun"] == name:  # it was killed while it wrote
            put_back(state, [name])
        state["begun"] = name
        write_state(state)
        conflicts = [path for change in state["changes"] for path in apply_change(name, *change)]
        if conflicts:
            write_state(state | {"stopped": name, "conflicts": conflicts, "left": snapshot()})
            print("Fix that, then type: make carry-continue")
            print("To make the later steps what they were, type: make carry-abort")
            print(f"Between the markers, ours is {name}, theirs the change of {state['step']}.")
            return 1
        state["waiting"] = state["waiting"][1:]
        write_state(state)
    after = snapshot()
    write_state({"step": state["step"], "new": state["new"], "after": after})
    changed = differing(steps_after(state["step"]), state["before"], after)
    if not changed:
        print("The later steps stay as they are.")
        return 0
    print(f"{state['step']} is carried into {', '.join(changed)}. See: git diff --cached")
    sys.stdout.flush()
    return run_tests([ROOT / name for name in [state["step"], *changed]])


def apply_change(name, old, new, left_out):
    """Apply what differs between two trees to that step; return the paths that have a conflict."""
    conflicts = []
    for status, old_path, path in read_changes(old, new):
        place = f"{name}/{path}"
        if path in left_out:
            continue
        if status != "A" and not os.path.lexists(ROOT / name / old_path):
            print(f"{place}: left alone, this step doesn't have it")
            continue
        options = ["-r", "-p", "--binary", "--full-index", "-M", "-l0"]
        patch = run_git("diff-tree", *options, old, new, "--", *{old_path, path})
        before = look(ROOT / place)
        apply = ["apply", "--3way", "--whitespace=nowarn", f"--directory={name}"]
        run = start_git(*OPTIONS, *apply, input=patch, capture_output=True)
        if not run.returncode:
            print(f"{place}: {'already there' if look(ROOT / place) == before else 'merged'}")
            continue
        conflicts.append(path)
        if lines := find_markers(name, [path]):
            print(f"CONFLICT in {', '.join(lines)}")
        else:
            said = run.stderr.decode(errors="replace").strip().splitlines()
            print(f"CONFLICT in {place}, which is for you to decide. git says: {said[-1]}")
    return conflicts


def look(path):
    """Return what is in a file, and its mode."""
    return path.is_file() and (path.read_bytes(), path.stat().st_mode)


def read_changes(old, new):
    """Yield git's letter, the path before and the path after of each file that differs."""
    output = run_git("diff-tree", "-r", "-M", "-l0", "--name-status", "-z", old, new)
    fields = iter(output.decode(errors="surrogateescape").split("\0")[:-1])
    for status in fields:
        path = next(fields)
        yield status[0], path, next(fields) if status[0] == "R" else path


def put_back(state, names):
    """Make steps what they were; what a person may have written there goes into git's stash."""
    now = snapshot()
    known = [
        set(differing(names, state[tree], now)) for tree in ("before", "left") if tree in state
    ]
    run_git("add", "--all", "--", *names)
    if set.intersection(*known):
        index = run_git("commit-tree", now, "-p", "HEAD", "-m", "index", **SIGNATURE)
        parents = ["-p", "HEAD", "-p", index.decode().strip()]
        kept = run_git("commit-tree", now, *parents, "-m", "files", **SIGNATURE).decode().strip()
        run_git("stash", "store", "-m", f"the files of {', '.join(names)}", kept)
        print("What was in these steps is in git's stash. To have it back, type:")
        print(f"git checkout 'stash@{{0}}' -- {' '.join(names)}")
    run_git("restore", f"--source={state['before']}", "--staged", "--worktree", "--", *names)


def find_change(step, since, now):
    """Return the trees of a step before and after what is to be carried."""
    old, new = find_tree(since or "HEAD", step), find_tree(now, step)
    if old is None:
        raise CourseError(
            f"There is no {step.name} in revision {since or 'HEAD'!r}. "
            f"Type: make carry {number_of(step.name)} SINCE=HEAD~2"
        )
    if since or old != new:
        return old, new
    commit = run_git("rev-list", "-1", "HEAD", "--", step.name).decode().strip()
    before = find_tree(f"{commit}^", step)
    if not before and run_git("rev-parse", "--is-shallow-repository") == b"true\n":
        raise CourseError("This clone lacks older commits. Type: git fetch --unshallow")
    return before or new, new


def steps_after(name):
    return [folder.name for folder in STEPS.values() if folder.name > name]


def differing(names, before, after):
    """Return those of the steps that differ between two trees of all."""
    return [n for n in names if find_tree(before, ROOT / n) != find_tree(after, ROOT / n)]


def check_committed(names, now):
    """Raise CourseError if files of these steps aren't as they were committed."""
    changed = run_git("diff-tree", "-r", "--name-only", "HEAD", now, "--", *names)
    if files := changed.decode(errors="replace").splitlines():
        raise CourseError(
            f"Later steps have work that isn't committed: {name_some(files)}. "
            "Commit it or take it back, then type the same again."
        )


def find_markers(name, paths):
    """Return file:line of each first line of conflict markers in those files of a step."""
    marked = []
    for path in paths:
        file = ROOT / name / path
        if file.is_file() and (found := MARKER.search(content := file.read_bytes())):
            line = content[: found.start()].count(b"\n") + 1
            marked.append(f"{name}/{path}:{line}")
    return marked


def state_file():
    return repository() / "mychannels-carry.json"


def read_state():
    """Return what is known of the last carry; it has steps that wait while that is unfinished."""
    return json.loads(state_file().read_text()) if state_file().exists() else {}


def read_unfinished():
    need_repository("carry")
    state = read_state()
    if "waiting" not in state:
        raise CourseError("No carry is unfinished. To begin one, type: make carry 1")
    return state


def write_state(state):
    new = state_file().with_suffix(".new")
    new.write_text(json.dumps(state))
    new.replace(state_file())
