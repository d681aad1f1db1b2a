"""What changes from one step to another: files, and in them hunks.

git finds the differences, unidiff reads them. Lines that differ are one hunk when they are close
together, as in git's own output; it is split where definitions of the module begin and, while it is
longer than LONGEST lines, at methods or blank lines.
"""

import ast
import hashlib
from collections import Counter
from dataclasses import dataclass, field
from itertools import groupby
from typing import NamedTuple

from course.git import location, run_git

CONTEXT = 3  # lines that git shows around a difference
LONGEST = 25  # lines
WHOLE = "--unified=1000000"  # so that a patch has all lines of a file
TEST_FILES = {"pytest.ini", "requirements-tests.txt"}
KINDS = {"added": "is_added_file", "removed": "is_removed_file", "renamed": "is_rename"}
DEFINITIONS = ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


class Line(NamedTuple):
    """A line with its line end, and the number of lines before it in either step."""

    sign: str  # as in a diff
    text: str
    old: int
    new: int


@dataclass
class Hunk:
    """Lines of one step that stand in the place of lines of another.

    The first and the last of `lines` differ. The `address` doesn't depend on where in the file they
    are.
    """

    path: str
    lines: list
    name: str = ""  # the class or function that they are in
    number: int = 1  # among hunks of the file with the same name and lines

    @property
    def new_start(self):
        return self.lines[0].new

    @property
    def removed(self):
        """The lines of the step before, with those between that both have."""
        return [line.text for line in self.lines if line.sign != "+"]

    @property
    def added(self):
        """The lines of the later step, with those between that both have."""
        return [line.text for line in self.lines if line.sign != "-"]

    @property
    def address(self):
        text = "".join(line.sign + line.text for line in self.lines if line.sign != " ")
        digest = hashlib.sha256(text.encode(errors="surrogateescape")).hexdigest()[:8]
        name = f"::{self.name}" if self.name else ""
        return f"{self.path}{name}#{digest}" + (f".{self.number}" if self.number > 1 else "")

    def runs(self):
        """Yield the runs of lines in it that differ, each as a Hunk."""
        for differs, run in groupby(self.lines, lambda line: line.sign != " "):
            if differs:
                yield Hunk(self.path, list(run), self.name)


@dataclass
class Change:
    """A file that differs: its path before and after, and the lines of both."""

    kind: str  # added, removed, changed, renamed
    old_path: str
    path: str
    old: list
    new: list
    hunks: list = field(default_factory=list)

    @property
    def part(self):
        """What the file belongs to: tests, prose or code."""
        if self.path.startswith("tests/") or self.path in TEST_FILES:
            return "tests"
        return "prose" if self.path.endswith(".md") else "code"

    def text_with(self, addresses):
        """Return the text of the file with those of its hunks and without the others."""
        lines = list(self.new)
        for hunk in reversed(self.hunks):
            if hunk.address not in addresses:
                lines[hunk.new_start : hunk.new_start + len(hunk.added)] = hunk.removed
        return "".join(lines)

    def without(self, hunk):
        """Return the later text as it would be had that hunk, or part of one, not come."""
        end = hunk.new_start + len(hunk.added)
        return "".join(self.new[: hunk.new_start] + hunk.removed + self.new[end:])


def compare(before, after):
    """Return the Change of each file that differs between two git trees, in the order of the paths.

    Where no lines differ, as in binary files, a Change has neither lines nor hunks.
    """
    from unidiff import PatchSet  # a browser tab has no such package, and no need of it

    options = ["-r", "-M", "-l0", "--diff-algorithm=histogram", "--indent-heuristic", WHOLE]
    patch = run_git("diff-tree", "-p", *options, before, after, **location())
    return [read_file(file) for file in PatchSet(patch.decode(errors="surrogateescape"))]


def read_file(file):
    """Return the Change of a file, as unidiff has it."""
    kind = next((kind for kind, name in KINDS.items() if getattr(file, name)), "changed")
    lines, old, new = [], 0, 0
    for line in file[0] if file else []:
        if line.line_type == "\\":  # the line before it has no line end
            lines[-1] = lines[-1]._replace(text=lines[-1].text.removesuffix("\n"))
        else:
            lines.append(Line(line.line_type, line.value, old, new))
            old, new = old + (line.line_type != "+"), new + (line.line_type != "-")
    whole = Hunk(file.path, lines)
    old_path = file.source_file.removeprefix("a/") if kind == "renamed" else file.path
    change = Change(kind, old_path, file.path, whole.removed, whole.added)
    seen = Counter()
    for hunk in split(change, lines):
        seen[hunk.address] += 1
        hunk.number = seen[hunk.address]
        change.hunks.append(hunk)
    return change


def split(change, lines):
    """Yield the hunks of a file."""
    top, inner, scopes = outline(change.path, change.new)
    for close in split_at_context(lines):
        for piece in split_at(close, top):
            for part in split_at(piece, inner) if len(piece) > LONGEST else [piece]:
                filled = [line.new for line in part if line.sign != "-" and line.text.strip()]
                first, last = (filled[0], filled[-1]) if filled else (part[0].new, part[0].new)
                around = [name for start, end, name in scopes if start <= first and last < end]
                yield Hunk(change.path, part, around[-1] if around else "")


def split_at_context(lines):
    """Yield the lines that differ and are close together, with those between them."""
    part, same = [], []
    for line in lines:
        if line.sign == " ":
            same.append(line)
            continue
        if part and len(same) > 2 * CONTEXT:
            yield part
            part = []
        part += [*same, line] if part else [line]
        same = []
    if part:
        yield part


def split_at(lines, starts):
    """Return the parts of a hunk that begin at those lines of the later file."""
    parts = [[]]
    for line in lines:
        before = parts[-1]
        between = line.sign != "-" and (not before or before[-1].sign != "-")
        if line.new in starts and between and any(n.sign != " " and n.text.strip() for n in before):
            parts.append([])
        parts[-1].append(line)
    return [part for part in map(trim, parts) if part]


def trim(lines):
    """Return the lines without those at both ends that are the same in both steps."""
    at = [n for n, line in enumerate(lines) if line.sign != " "]
    return lines[at[0] : at[-1] + 1] if at else []


def outline(path, lines):
    """Return where a hunk may be split, where a long one may be, and what is defined in the file.

    The first two are sets of line numbers from 0; the third has tuples of first line, line after
    the last, and name, outer definitions before inner ones.
    """
    blank = [not line.strip() for line in lines]
    after_blank = {n for n in range(1, len(lines)) if blank[n - 1] and not blank[n]}
    at_margin = {n for n in after_blank if not lines[n][:1].isspace()}
    if not path.endswith(".py"):
        return at_margin, after_blank, []
    try:
        bodies = [("", ast.parse("".join(lines)))]
    except (SyntaxError, ValueError):
        return at_margin, after_blank, []
    top, inner, scopes = set(), set(), []
    for prefix, node in bodies:  # grows while it is read
        for child in node.body:
            decorators = getattr(child, "decorator_list", [])
            first = min(part.lineno for part in [child, *decorators]) - 1
            while first and lines[first - 1].lstrip().startswith("#"):
                first -= 1  # a comment belongs to what follows
            inner.add(first)
            if isinstance(child, DEFINITIONS):
                name = f"{prefix}.{child.name}".strip(".")
                scopes.append((first, child.end_lineno, name))
                top |= {first} if not prefix else set()
                bodies += [(name, child)] if isinstance(child, ast.ClassDef) else []
    return top, inner & (after_blank | top), scopes
