"""How far the playground is: each hunk of the step, and what else is in the learner's files."""

import os
import re
from dataclasses import dataclass, field
from functools import cached_property

from course.chapters import is_of_tests, load_chapters
from course.git import find_tree, snapshot, tree_with
from course.hunks import TEST_FILES, Change, compare
from course.learn.playground import Playground, digest, list_files, list_playground, read
from course.learn.status import DIFFERS, DONE, MISSING, find_status, same_operations
from course.steps import PLAYGROUND, STEPS

WORDS = re.compile(r'"""|#|//|from |import ')
LABEL = 50  # characters
RENAMED = 0.5  # of the files of an app, in a folder that the course doesn't know


@dataclass
class Place:
    """A hunk of the step, how far it is, and where it is or belongs."""

    hunk: object  # course.hunks.Hunk
    kind: str  # of its file: added, removed, changed
    block: object  # course.chapters.Block, None when no chapter shows it
    state: str
    line: int  # of the learner's file, from 1; 0 is before the first
    old: bool  # whether that is a line that goes
    left: bool  # whether nothing but that is to be done
    elsewhere: bool  # whether it is missing in its place, but its code is somewhere in the file
    harmless: bool = False  # whether what differs makes no difference

    @property
    def label(self):
        changed = [line for line in self.hunk.lines if line.sign != " " and line.text.strip()]
        lines = [line for line in changed if line.sign == "+"] or changed
        code = [line for line in lines if not WORDS.match(line.text.strip())] or lines
        text = code[0].text.strip() if code else ""
        docstring = " (docstring)" if len(lines) == 1 and text.startswith('"""') else ""
        text = text if len(text) <= LABEL else f"{text[:LABEL]} …"
        return self.hunk.name + docstring if self.hunk.name else text

    def spans(self, path, line):
        """Return whether a line of the learner's file is in the place of the hunk."""
        return path == self.hunk.path and 0 <= line - self.line <= len(self.hunk.added)


@dataclass
class Report:
    """What make check has found.

    `problems` are sentences about what keeps the tests from running, `extra` the paths of files
    that the course doesn't know, `own` lines of code in its files that belong to neither step,
    `removed` those after which code of both steps is missing, `upstream` what has changed in the
    course since the playground was begun.
    """

    playground: Playground
    places: list
    problems: list = field(default_factory=list)
    extra: list = field(default_factory=list)
    own: list = field(default_factory=list)
    removed: list = field(default_factory=list)
    upstream: list = field(default_factory=list)
    tests: dict | None = None

    def having(self, *states):
        return [place for place in self.places if place.state in states]

    @cached_property
    def passed(self):
        tests = self.tests
        return bool(tests and tests["passed"] and not tests["failed"]) and not self.missing

    @property
    def missing(self):
        """What is missing; where tests pass with other code, nothing is."""
        missing = self.having(MISSING)
        other = self.own or self.extra or self.having(DIFFERS)
        if self.tests and not self.tests["failed"]:
            return [place for place in missing if not (other or place.elsewhere)]
        return missing

    @property
    def counts(self):
        return [len(self.having(DONE)), len(self.places)]


def examine(playground):
    """Return the Report on the playground, without tests; raise OSError if a file can't be read."""
    before, step = STEPS[playground.number - 1], playground.step
    chapter = load_chapters([playground.number])[playground.number]
    begun = {path: digest(text) for path, text in playground.base.items()}
    upstream = find_changed(before, begun)
    changes = [change for change in chapter.changes if change.part == "code"]
    if upstream:
        changes = since(playground, chapter)
    upstream += find_changed(step, playground.target)
    files = ((path, read(PLAYGROUND / path)) for path in list_playground())
    texts = {path: text for path, text in files if text is not None}
    report = Report(playground, [], upstream=upstream)
    place_hunks(report, chapter, changes, texts)
    accept_other_migrations(report, changes, texts)
    find_edits(report, {change.path for change in changes}, list_files(step), texts)
    known = {*playground.base, *list_files(step)}
    report.extra = [path for path in texts if path not in known]
    syntax_errors = find_syntax_errors(texts)
    report.problems = [*find_renamed(report), *report.problems, *syntax_errors]
    return report


def find_changed(step, digests):
    """Return the names of a step's files whose texts aren't those with these digests."""
    now = {path: digest(read(step / path)) for path in list_files(step)}
    paths = sorted({*now, *digests})
    return [f"{step.name}/{path}" for path in paths if now.get(path) != digests.get(path)]


def place_hunks(report, chapter, changes, texts):
    """Put a Place for each hunk into the report, in the order of the chapter."""
    blocks = {hunk.address: block for block in chapter.blocks for hunk in block.hunks}
    order = {address: n for n, address in enumerate(blocks)}
    for change in changes:
        status = find_status(change, texts.get(change.path))
        report.own += [f"{change.path}:{line}" for line in status.extra]
        if change.path in texts:
            report.removed += [f"{change.path}:{line or 1}" for line in status.removed]
        for hunk in change.hunks:
            a = hunk.address
            state, line = status.hunks[a], status.lines.get(a, 0)
            marks = a in status.old, a in status.left, a in status.elsewhere
            report.places.append(Place(hunk, change.kind, blocks.get(a), state, line, *marks))
    report.places.sort(key=lambda place: order.get(place.hunk.address, len(order)))


def find_edits(report, differing, finished, texts):
    """Note removed files of the step before, and changes in files that the step keeps."""
    for path, text in report.playground.base.items():
        if is_test(path) or path not in finished or text == texts.get(path):
            continue
        if path not in texts:
            report.problems.append(f"{path} is missing. Type: make solve FILE={path}")
        elif path not in differing:
            lines = text.splitlines(keepends=True)
            status = find_status(Change("changed", path, path, lines, lines), texts[path])
            report.own += [f"{path}:{line}" for line in status.extra]
            report.removed += [f"{path}:{line or 1}" for line in status.removed]


def since(playground, chapter):
    """Return what changes from the beginning of the playground, with the chapter's hunks alone."""
    shown = {hunk.address for change in chapter.changes for hunk in change.hunks}
    tree = find_tree(snapshot(), playground.step)
    changes = [c for c in compare(tree_with(playground.base), tree) if c.part == "code"]
    for change in changes:
        change.hunks = [hunk for hunk in change.hunks if hunk.address in shown]
    return [change for change in changes if change.hunks]


def is_test(path):
    return is_of_tests(path) or path in TEST_FILES


def accept_other_migrations(report, changes, texts):
    """Let migrations that do the same differ, under another name or with other dependencies."""
    for change in changes:
        folder = os.path.dirname(change.path)
        if change.kind != "added" or os.path.basename(folder) != "migrations":
            continue
        theirs = [path for path in texts if os.path.dirname(path) == folder]
        if any(same_operations("".join(change.new), texts[path]) for path in theirs):
            for place in report.places:
                if place.hunk.path == change.path and place.state != DONE:
                    place.state, place.harmless = DIFFERS, True


def find_renamed(report):
    """Yield a sentence for each app of the step before whose folder isn't there."""
    base, extra = report.playground.base, report.extra
    for name in sorted({path.split("/")[0] for path in base if "/" in path}):
        if (PLAYGROUND / name).is_dir() or is_of_tests(f"{name}/"):
            continue
        files = {path.partition("/")[2] for path in base if path.startswith(f"{name}/")}
        others = {path.split("/")[0] for path in extra if "/" in path}
        renamed = [
            other
            for other in sorted(others)
            if sum((PLAYGROUND / other / file).exists() for file in files) > RENAMED * len(files)
        ]
        if renamed:
            yield f"{renamed[0]}/ seems to be {name}/. Give it that name back: the tests use it."
        else:
            yield f"The folder {name}/ is missing. The tests need it. Type: make restore"


def find_syntax_errors(texts):
    for path, text in texts.items():
        if path.endswith(".py") and not is_test(path):
            try:
                compile(text, path, "exec", dont_inherit=True)
            except SyntaxError as error:
                message = error.msg.rstrip(".?")
                yield f"{path}, line {error.lineno}: Python can't read it: {message}."
            except ValueError as error:
                yield f"{path}: Python can't read it: {error}."
