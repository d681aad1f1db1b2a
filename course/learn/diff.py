"""make diff: what changes from one step to another, as git shows it or as a page."""

import difflib
import os
import sys
import tempfile
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from shlex import quote

from course.chapters import read_blocks
from course.errors import CourseError, name_some, say
from course.git import NOTHING, find_tree, location, repository, run_git, snapshot, start_git
from course.hunks import CONTEXT, compare
from course.steps import ROOT, STEPS, number_of
from course.venv import BUILD

PAGE = Path(__file__).with_name("diff.html")
TAB = 4


def show_diff(steps, file=None, tests=False, words=False, html=False):
    """Show what differs between two steps, or between one and the step before it; return 0.

    The files come in the order in which the chapter of the later step shows them. `file` is a path,
    a folder or a glob of what to show. Raises CourseError if it matches none of the files that
    differ.
    """
    before, after = steps if len(steps) == 2 else [STEPS.get(number_of(steps[0].name) - 1), *steps]
    names = [step.name if step else "nothing" for step in (before, after)]
    command = "make diff " + " ".join(str(number_of(step.name)) for step in steps)
    now = snapshot()
    trees = [find_tree(now, step) if step else NOTHING for step in (before, after)]
    order = order_of(number_of(after.name))
    changes = sorted(compare(*trees), key=lambda change: order.get(change.path, len(order)))
    if not changes:
        print(f"Nothing differs between {names[0]} and {names[1]}.")
        return 0
    shown = choose(changes, file, tests, command)
    if html:
        page = BUILD / "diff" / f"{'-'.join(name[:6] for name in names)}.html"
        page.parent.mkdir(parents=True, exist_ok=True)
        page.write_text(as_page(names, shown), encoding="utf-8", errors="replace")
        print(page)
    elif shown:
        paths = {path for change in shown for path in (change.old_path, change.path)}
        show_by_git([*trees, "--", *(f":(literal){path}" for path in sorted(paths))], words, order)
    left_out = [] if file else [change.path for change in changes if change not in shown]
    say(f"From {names[0]} to {names[1]}, files shown: {len(shown)} of {len(changes)}")
    if any(path.endswith(".md") for path in left_out):
        say(f"The texts: {command} FILE='*.md'")
    if any(not path.endswith(".md") for path in left_out):
        say(f"The tests, too: {command} TESTS=1")
    if changed := find_uncommitted(filter(None, (before, after)), now):
        say(f"Not committed yet: {name_some(changed)}")
    return 0


def order_of(number):
    """Return the position of each file in the chapter of a step, by path."""
    shown = [block.arguments[0] for block in read_blocks(number) if block.kind == "stepdiff"]
    return {path: position for position, path in enumerate(dict.fromkeys(shown))}


def choose(changes, file, tests, command):
    """Return the changes that `file` matches, or those of the code and perhaps of tests."""
    if not file:
        return [c for c in changes if c.part == "code" or (tests and c.part == "tests")]
    wanted = PurePosixPath(os.path.relpath(file, ROOT) if os.path.isabs(file) else file)
    if wanted.parts and ROOT / wanted.parts[0] in STEPS.values():
        wanted = PurePosixPath(*wanted.parts[1:])
    shown = [c for c in changes if matches(c.path, wanted) or matches(c.old_path, wanted)]
    if not shown:
        paths = [quote(change.path) for change in changes[:3]]
        raise CourseError(
            f"FILE={file!r} is none of the files that differ, such as {', '.join(paths)}. "
            f"Type: {command} FILE={paths[0]}"
        )
    return shown


def matches(path, wanted):
    path = PurePosixPath(path)
    globs = (fnmatchcase(text, str(wanted)) for text in (str(path), path.name))
    return path.is_relative_to(wanted) or any(globs)


def show_by_git(arguments, words, order):
    """Let git show differences: in a terminal as the user has set it up, with its pager."""
    with tempfile.NamedTemporaryFile("w", encoding="utf-8") as file:
        file.write("\n".join(order))
        file.flush()
        options = ["-M", "--stat", "--patch", *(["--word-diff"] if words else []), f"-O{file.name}"]
        if sys.stdout.isatty():
            start_git("diff", *options, *arguments, variables=location())
        else:  # a patch that `git apply` takes
            patch = run_git("diff-tree", "-r", "--binary", *options, *arguments, **location())
            sys.stdout.buffer.write(patch)
            sys.stdout.flush()


def find_uncommitted(steps, now):
    """Return the paths of the files in those steps that aren't as they were committed."""
    if not repository() or not run_git("rev-parse", "--verify", "-q", "HEAD", accept=(0, 1)):
        return []
    paths = ["--", *(step.name for step in steps)]
    names = run_git("diff-tree", "-r", "--name-only", "HEAD", now, *paths, **location())
    return names.decode(errors="replace").splitlines()


def as_page(names, changes):
    """Return the changes as an HTML page that has both steps side by side."""
    from django.template import Context, Engine

    values = {"names": names, "files": (files := [])}
    for change in changes:
        table = difflib.HtmlDiff(TAB).make_table(change.old, change.new, *names, True, CONTEXT)
        table = table.replace("&nbsp;", " ").replace('nowrap="nowrap"', "")  # long lines wrap
        added, removed = (count(change, sign) for sign in "+-")
        files.append((change, table if change.hunks else "", added, removed))
    return Engine().from_string(PAGE.read_text()).render(Context(values, use_l10n=False))


def count(change, sign):
    return sum(line.sign == sign for hunk in change.hunks for line in hunk.lines)
