"""Three versions of a file become one: a base and what two sides have made of it."""

import io
import re
import tempfile
from itertools import count, takewhile
from operator import eq
from pathlib import Path
from typing import NamedTuple

from course.git import run_git, store
from course.journal import LINK

OPTIONS = ["--no-index", "--unified=0", "--text", "--no-color", "--no-ext-diff", "--no-textconv"]
OPTIONS += ["--diff-algorithm=myers", "--no-indent-heuristic"]  # as git merge-file has them
HUNK = re.compile(rb"^@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@", re.MULTILINE)
MARK = re.compile(rb"^([<|=>])\1*", re.MULTILINE)


class Edit(NamedTuple):
    """Lines of a side, 0 or 1, in the place of those from `start` to before `end` of the base."""

    start: int
    end: int
    lines: list
    side: int


def merge_file(base, ours, theirs, names):
    """Merge versions of a file: each is git's mode and the content, None is no file.

    Return the result, and None or what is in conflict: why, and the size of the markers in the
    result, 0 if it is ours without any. `names` are what to call our side and theirs.
    """
    if ours == base:
        return theirs, None
    if theirs in (base, ours):
        return ours, None
    if not (ours and theirs):
        return ours, ("removed in {1}, different in {0}".format(*names), 0)
    base = base or (ours[0], b"")
    modes, contents = zip(base, ours, theirs, strict=True)
    why = "different in {} and {}".format(*names)
    if LINK in modes or b"\0" in b"".join(contents):
        return ours, (f"{why}, and not text", 0)
    taken = {len(mark[0]) for content in contents for mark in MARK.finditer(content)}
    size = next(n for n in count(7) if n not in taken)
    merged, clean = merge_text(*contents, names, size)
    if not clean and is_applied(*contents):
        merged, clean = ours[1], True
    mode = theirs[0] if ours[0] == base[0] else ours[0]
    return (mode, merged), None if clean else (why, size)


def is_applied(base, ours, theirs):
    """Tell whether ours is what the change from the base to theirs makes of some text."""
    undone, clean = merge_text(theirs, ours, base)
    return clean and merge_text(base, undone, theirs) == (ours, True)


def merge_text(base, ours, theirs, names=("ours", "theirs"), size=7):
    """Merge versions of a text; return the result and whether it is without conflict.

    What git merges comes out as git has it. Besides, lines can be changed next to lines that the
    other side changes: see `collide`.
    """
    base, *sides = (io.BytesIO(text).readlines() for text in (base, ours, theirs))
    groups = []
    for edit in sorted(edit for number in (0, 1) for edit in find_edits(base, sides, number)):
        if groups and any(collide(edit, other) for other in groups[-1]):
            groups[-1].append(edit)
        else:
            groups.append([edit])
    merged, at, clean = [], 0, True
    for group in groups:
        start, end = group[0].start, max(edit.end for edit in group)
        ours, theirs = (replace(base, start, end, group, number) for number in (0, 1))
        merged += base[at:start]
        if len(group) == 1 or ours == theirs:
            merged += theirs if group[0].side else ours
        else:
            merged += mark(ours, base[start:end], theirs, names, size)
            clean = False
        at = end
    return b"".join(merged + base[at:]), clean


def find_edits(base, sides, number):
    """Give the edits that lead from the base to a side; they are those of git's own merges."""
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder, name) for name in ("base", "side")]
        for file, lines in zip(files, (base, sides[number]), strict=True):
            file.write_bytes(b"".join(lines))
        patch = run_git("diff", *OPTIONS, *files, accept=(0, 1), **store())
    for start, removed, new_start, added in HUNK.findall(patch):
        removed, added = int(removed or 1), int(added or 1)
        start = int(start) - (removed > 0)  # git counts from 1, but from 0 where nothing is
        new_start = int(new_start) - (added > 0)
        lines = sides[number][new_start : new_start + added]
        yield Edit(start, start + removed, lines, number)


def collide(one, other):
    """Tell whether edits are of different sides and about the same lines.

    They may touch if one of them replaces lines by as many: then it is clear what belongs where.
    But a line isn't inserted next to lines that the other side removes or adds.
    """
    overlap = one.start < other.end and other.start < one.end
    touch = one.start <= other.end and other.start <= one.end
    clear = is_replacement(one) or is_replacement(other)
    return one.side != other.side and (overlap or (touch and not clear))


def is_replacement(edit):
    """Tell whether lines are replaced by as many, to which others can be joined."""
    return edit.end - edit.start == len(edit.lines) and edit.lines[-1].endswith(b"\n")


def replace(base, at, end, group, side):
    """Return those lines of the base with the edits of one side."""
    lines = []
    for edit in group:
        if edit.side == side:
            lines += base[at : edit.start] + edit.lines
            at = edit.end
    return lines + base[at:end]


def mark(ours, base, theirs, names, size):
    """Return a conflict between markers; what both sides begin or end with is left outside."""
    head = count_same(ours, theirs)
    tail = count_same(ours[head:][::-1], theirs[head:][::-1])
    first, last = ours[:head], ours[len(ours) - tail :]
    ours, theirs = (lines[head : len(lines) - tail] for lines in (ours, theirs))
    labels = [f"<{names[0]}", "|before", "=", f">{names[1]}"]
    marks = [f"{label[0] * size} {label[1:]}".strip().encode() for label in labels]
    lines = [marks[0], *ours, marks[1], *base, marks[2], *theirs, marks[3]]
    line_end = b"\r\n" if any(line.endswith(b"\r\n") for line in ours + theirs) else b"\n"
    return first + [line if line.endswith(b"\n") else line + line_end for line in lines] + last


def count_same(one, other):
    """Return how many lines are the same, from the first on."""
    return sum(1 for _ in takewhile(lambda pair: eq(*pair), zip(one, other, strict=False)))


def find_marks(content, size):
    """Give the number of the first line of each conflict between markers of that size."""
    inside = False
    for number, line in enumerate(io.BytesIO(content).readlines(), 1):
        found = MARK.match(line)
        if found and len(found[0]) == size:
            if not inside:
                yield number
            inside = found[1] != b">"
