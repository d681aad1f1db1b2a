"""What the guide's chapters say about a step: which hunks they show, in which order, with hints.

A chapter is docs/stepNN.md. It is read here without Sphinx. A fenced block

    ```{stepdiff} chat/consumers.py ChatConsumer.connect
    :hint: A socket joins the group before it is accepted.
    ```

shows the hunks of a file in that class or function or, where none has that name, those with a line
that begins with that text; without a name or text, all hunks of the file. ` | ` stands between
several names or texts. A block

    ```{checkpoint} tests/test_groups.py::test_message_reaches_everybody_in_the_room
    What a reader should see now.
    ```

stands where the step must run with what has been shown so far, and those tests pass. WAIVERS names
what no chapter shows, and why.
"""

import re
import tomllib
from dataclasses import dataclass, field
from fnmatch import fnmatch
from itertools import pairwise

from course.errors import CourseError
from course.git import NOTHING, find_tree, snapshot
from course.hunks import compare
from course.steps import ROOT, STEPS

DOCS = ROOT / "docs"
WAIVERS = DOCS / "waivers.toml"


@dataclass
class Block:
    """A block of a chapter that shows hunks, or where the step must run."""

    kind: str  # stepdiff or checkpoint
    arguments: list
    hint: str
    section: str  # the heading above it
    line: int  # from 1
    hunks: list = field(default_factory=list)


@dataclass
class Chapter:
    """A chapter, and what differs between its step and the one before."""

    number: int
    changes: list
    blocks: list
    waived: list  # hunks
    complaints: list  # sentences

    @property
    def name(self):
        return chapter_file(self.number).relative_to(ROOT).as_posix()

    @property
    def hunks(self):
        """The hunks that it shows, in its order."""
        return [hunk for block in self.blocks for hunk in block.hunks]


def chapter_file(number):
    return DOCS / f"step{number:02}.md"


def load_chapters(numbers=STEPS):
    """Return the Chapter of each step by number, its blocks with the hunks that they show."""
    now, waivers, chapters = snapshot(), load_waivers(), {}
    for number in numbers:
        before = find_tree(now, STEPS[number - 1]) if number > 1 else NOTHING
        changes = compare(before, find_tree(now, STEPS[number]))
        chapters[number] = match(number, changes, waivers.get(STEPS[number].name, []))
    return chapters


def deploy_changes():
    """Return the files of deploy/ as what it adds to nothing."""
    return compare(NOTHING, find_tree(snapshot(), ROOT / "deploy"))


def match(number, changes, waivers):
    """Return a Chapter: its blocks with their hunks, and what is wrong with it."""
    changes = [change for change in changes if change.part != "prose" and change.path != "Makefile"]
    chapter = Chapter(number, changes, read_blocks(number), [], [])
    if not chapter_file(number).exists():
        chapter.complaints.append(f"{chapter.name} is missing. Write it.")
        return chapter
    shown = find_shown(chapter)
    chapter.complaints += [
        f"{chapter.name}: {change.path} is {change.old_path} under another name, "
        "which no hunk can show. Give it its old name back."
        for change in changes
        if change.kind == "renamed" and not change.hunks
    ]
    left = [h for change in changes for h in change.hunks if h.address not in shown]
    for hunk in waive(chapter, left, waivers):
        name = f" {hunk.name}." if hunk.name else " and some of its text."
        chapter.complaints.append(
            f"{chapter.name}: {hunk.address} is not shown. "
            f"Show it with {{stepdiff}} {hunk.path}{name}"
        )
    return chapter


def find_shown(chapter):
    """Fill the blocks of a chapter with their hunks, and complain; return the blocks by address."""
    shown = {}
    for block in chapter.blocks:
        if block.kind != "stepdiff":
            continue
        path, *text = block.arguments
        block.hunks = find_hunks(chapter.changes, path, " ".join(text))
        where = f"{chapter.name}, line {block.line}: {{stepdiff}} {' '.join(block.arguments)}"
        if not block.hunks:
            todo = advice(chapter.changes, path)
            chapter.complaints.append(f"{where}: no hunk is there. {todo}")
        for hunk in block.hunks:
            other = shown.setdefault(hunk.address, block)
            if other is not block:
                chapter.complaints.append(
                    f"{where}: line {other.line} shows {hunk.address} already. Show it once."
                )
        if chapter.number > 1 and not block.hint and block.hunks and not is_of_tests(path):
            chapter.complaints.append(f"{where}: no hint. Write a line `:hint: ...` below it.")
    return shown


def waive(chapter, left, waivers):
    """Move the hunks that waivers name from `left` to the chapter; return the others."""
    for pattern in [name for waiver in waivers for name in waiver["names"]]:
        found = [h for h in left if fnmatch(h.path, pattern) or h.address == pattern]
        chapter.waived += found
        left = [h for h in left if h not in found]
        if not found:
            chapter.complaints.append(
                f"{chapter.name}: {pattern} needs no waiver. "
                f"Remove it from {WAIVERS.relative_to(ROOT)}."
            )
    return left


def read_blocks(number):
    """Return the blocks of a chapter in their order."""
    from markdown_it import MarkdownIt  # a browser tab has no such package, and no need of it

    file, blocks, section = chapter_file(number), [], ""
    tokens = MarkdownIt().parse(file.read_text(encoding="utf-8")) if file.exists() else []
    for token, following in pairwise([*tokens, None]):
        if token.type == "heading_open":
            section = following.content
        elif found := re.match(r"\{(stepdiff|checkpoint)\}\s*(.*)", token.info or ""):
            hint = re.search(r"(?m)^:hint:\s*(.*)", token.content)
            text = hint[1] if hint else ""
            blocks.append(Block(found[1], found[2].split(), text, section, token.map[0] + 1))
    return blocks


def find_hunks(changes, path, text):
    """Return the hunks of a file in that class or function, else with a line that begins so."""
    hunks = [h for change in changes for h in change.hunks if change.path == path]
    found = []
    for part in text.split(" | "):
        named = [hunk for hunk in hunks if part and hunk.name == part]
        found += named or [hunk for hunk in hunks if has_text(hunk, part)]
    return found


def has_text(hunk, text):
    return any(line.text.strip().startswith(text) for line in hunk.lines if line.sign != " ")


def advice(changes, path):
    """Return what to write instead of a reference that finds nothing."""
    addresses = [h.address for change in changes for h in change.hunks if change.path == path]
    if not addresses:
        return f"{path} doesn't differ in this step. Name a file that does, or remove the block."
    return f"Name a part of it that differs: {', '.join(addresses)}."


def is_of_tests(path):
    return path.startswith("tests/")


def load_waivers():
    """Return what WAIVERS has: dicts of names and a reason, by step."""
    try:
        waivers = tomllib.loads(WAIVERS.read_text()) if WAIVERS.exists() else {}
        for group in (group for groups in waivers.values() for group in groups):
            if not (group["because"].strip() and group["names"]):
                raise ValueError("a waiver has no reason or no names")
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise CourseError(f"{WAIVERS} can't be read: {error}. Correct it") from None
    return waivers


def texts_with(chapter, hunks):
    """Return the files of the step before with these hunks and all that are waived, by path.

    The text of a file that isn't there is None.
    """
    hunks = {hunk.address for hunk in [*hunks, *chapter.waived]}
    texts = {}
    for change in chapter.changes:
        applied = [hunk for hunk in change.hunks if hunk.address in hunks]
        text = change.text_with(hunks)
        if change.kind == "renamed":
            texts[change.old_path] = None if applied else text
        whole = not change.hunks or len(applied) == len(change.hunks)
        missing = {"added": not applied and change.hunks, "removed": whole, "renamed": not applied}
        texts[change.path] = None if missing.get(change.kind) else text
    return texts
