"""What changes from one step to another: files, and in them hunks.

The diffs are git's, unidiff reads them. A hunk is a run of lines that are removed, added or both;
where a run adds several definitions or paragraphs, each of them is a hunk of its own.
"""

import ast
import hashlib
import re
from collections import Counter
from dataclasses import dataclass, field

from unidiff import PatchSet

from course.git import read_blobs, run_git, store

TEST_FILES = {"pytest.ini", "requirements-tests.txt"}
KINDS = {"A": "added", "D": "removed", "M": "changed", "R": "renamed", "T": "changed"}
OPTIONS = ["-r", "-M", "-l0", "--no-ext-diff", "--no-textconv", "--no-color"]
OPTIONS += ["--diff-algorithm=histogram", "--indent-heuristic"]


@dataclass
class Hunk:
    """Lines, with their line ends, that stand in one step in the place of others in another.

    `old_start` and `new_start` count lines from 0. The `address` stays the same wherever the lines
    are in their file.
    """

    path: str
    removed: list
    added: list
    old_start: int
    new_start: int
    inside: str = ""  # the enclosing class or function
    number: int = 1  # among hunks with the same lines

    @property
    def address(self):
        text = "".join(["-" + line for line in self.removed] + ["+" + line for line in self.added])
        digest = hashlib.sha256(text.encode(errors="surrogateescape")).hexdigest()[:8]
        return f"{self.path}#{digest}" + (f".{self.number}" if self.number > 1 else "")


@dataclass
class Change:
    """A file that differs: its path before and after, its contents as bytes, None for no file."""

    kind: str  # added, removed, changed, renamed
    old_path: str
    path: str
    old: bytes
    new: bytes
    blocks: list = field(default_factory=list)  # unidiff's hunks, with lines around for people
    hunks: list = field(default_factory=list)

    @property
    def part(self):
        """What the file belongs to: tests, prose or code."""
        if self.path.startswith("tests/") or self.path in TEST_FILES:
            return "tests"
        return "prose" if self.path.endswith(".md") else "code"

    @property
    def added(self):
        return sum(len(hunk.added) for hunk in self.hunks)

    @property
    def removed(self):
        return sum(len(hunk.removed) for hunk in self.hunks)

    def without(self, hunk):
        """Return the later content as it would be had that hunk not come."""
        lines = split_lines(decode(self.new))
        lines[hunk.new_start : hunk.new_start + len(hunk.added)] = hunk.removed
        return encode("".join(lines))


def compare(before, after):
    """Return the Change of each file that differs between two trees, in the order of the paths."""
    trees = [before, after]
    raw = run_git("diff-tree", *OPTIONS, "--raw", "--abbrev=40", "-z", *trees, **store())
    patch = run_git("diff-tree", *OPTIONS, "--unified=3", *trees, **store())
    patches = iter(re.split(r"^(?=diff --git )", decode(patch), flags=re.MULTILINE)[1:])
    rows = list(read_raw(raw))
    ids = {blob for *_, blobs in rows for blob in blobs if blob.strip("0")}
    contents = read_blobs(sorted(ids))
    changes = []
    for status, old_path, path, blobs in rows:
        change = Change(KINDS[status], old_path, path, *map(contents.get, blobs))
        text = next(patches)
        if status == "T":  # a link in the place of a file, or the reverse: two patches
            next(patches)
        else:
            change.blocks = read_patch(text)
        change.hunks = list(number(split_hunks(change)))
        changes.append(change)
    return changes


def read_raw(raw):
    """Read git's raw format; give status, path before, path after and the ids of both blobs."""
    fields = iter(decode(raw).split("\0")[:-1])
    for meta in fields:
        *_, old, new, status = meta.split()
        old_path = path = next(fields)
        if status[0] == "R":
            path = next(fields)
        yield status[0], old_path, path, (old, new)


def read_patch(text):
    """Return unidiff's hunks of the patch of one file."""
    _, at, body = text.partition("\n@@ ")
    files = PatchSet(f"--- a\n+++ b{at}{body}") if at else [[]]
    return list(files[0])


def split_hunks(change):
    """Give the hunks of a file."""
    old, new = (split_lines(decode(content or b"")) for content in (change.old, change.new))
    starts, scopes = outline(change.path, new)
    for block in change.blocks:
        for run in runs(block):
            (old_at, old_end), (new_at, new_end) = run
            cuts = [n for n in range(new_at + 1, new_end) if n in starts and is_blank(new[n - 1])]
            cuts = [n for n in cuts if not all(map(is_blank, new[new_at:n]))]
            for start, end in zip([new_at, *cuts], [*cuts, new_end], strict=True):
                inside = block.section_header.strip()
                if scopes is not None:
                    last = max(
                        (n for n in range(start, end) if not is_blank(new[n])), default=start
                    )
                    inside = enclosing(scopes, start, last + 1)
                yield Hunk(change.path, old[old_at:old_end], new[start:end], old_at, start, inside)
                old_at = old_end  # what is removed belongs to the first piece


def runs(block):
    """Give the ranges of lines, before and after, that differ without a common line between."""
    old, new = max(block.source_start - 1, 0), max(block.target_start - 1, 0)
    if not block.source_length:  # git counts from the line before an empty range
        old = block.source_start
    if not block.target_length:
        new = block.target_start
    old_from, new_from = old, new
    for line in [*block, None]:
        if line is None or line.is_context:
            if (old, new) != (old_from, new_from):
                yield (old_from, old), (new_from, new)
            old_from, new_from = old, new = old + 1, new + 1
        else:
            old += line.is_removed
            new += line.is_added


def outline(path, lines):
    """Return where statements of modules and classes begin, and the scopes, for Python.

    Scopes are tuples of first line, line after the last, and name. Of another language the first
    result has all lines that aren't indented, and the second is None.
    """
    starts = {n for n, line in enumerate(lines) if line[:1].strip()}
    if not path.endswith(".py"):
        return starts, None
    try:
        bodies = [("", ast.parse("".join(lines)))]
    except (SyntaxError, ValueError):
        return starts, None
    starts, scopes = set(), []
    for name, node in bodies:  # grows while it is read
        for child in node.body:
            first = min([child.lineno, *(d.lineno for d in getattr(child, "decorator_list", []))])
            starts.add(first - 1)
            if isinstance(child, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                qualified = f"{name}.{child.name}".strip(".")
                scopes.append((first - 1, child.end_lineno, qualified))
                if isinstance(child, ast.ClassDef):
                    bodies.append((qualified, child))
    return starts, scopes


def enclosing(scopes, start, end):
    """Return the name of the innermost scope that begins before those lines and ends after them."""
    around = [scope for scope in scopes if scope[0] < start and end <= scope[1]]
    return max(around)[2] if around else ""


def number(hunks):
    """Number the hunks of a file that have the same lines."""
    seen = Counter()
    for hunk in hunks:
        seen[hunk.address] += 1
        hunk.number = seen[hunk.address]
        yield hunk


def is_blank(line):
    return not line.strip()


def split_lines(text):
    """Split at line feeds alone, as git does, and keep them."""
    return re.findall(r"[^\n]*\n|[^\n]+", text)


def decode(data):
    return data.decode(errors="surrogateescape")


def encode(text):
    return text.encode(errors="surrogateescape")
