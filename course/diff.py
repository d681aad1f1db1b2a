"""make diff: what changes from one step to another, in the terminal, as a patch or as a page."""

import os
import re
import signal
import subprocess
import sys
from dataclasses import dataclass
from difflib import SequenceMatcher
from fnmatch import fnmatchcase
from itertools import groupby, zip_longest
from pathlib import Path, PurePosixPath
from shlex import quote
from shutil import which

from course.errors import CourseError
from course.git import NOTHING, run_git, store, tree_of
from course.hunks import OPTIONS, compare, decode
from course.steps import ROOT, number_of

WORDS = re.compile(r"\\?\w+|\s+|[^\w\s]")
SIMILAR = 0.4  # of 1: lines with less in common are not one line that has changed
MOST_PAIRS = 2000  # to compare in a run: more would take too long
STYLES = {"-": "red", "+": "green", " ": ""}


@dataclass
class Line:
    """A line to show: its sign as in a diff, and its texts, each with whether it stands out."""

    sign: str
    number: int
    pieces: list


def show_diff(before, after):
    """Show what differs between the folders of two steps; return the exit status.

    `before` is None for no step. FILE, TESTS and HTML in the environment say what to show and how.
    Raises CourseError if FILE matches none of the files that differ.
    """
    sys.stdout.reconfigure(encoding="utf-8", errors="surrogateescape")  # whatever is in the files
    old, new = (number_of(step.name) if step else 0 for step in (before, after))
    steps = [step.name if step else "nothing" for step in (before, after)]
    trees = [tree_of(before) if before else NOTHING, tree_of(after)]
    changes = compare(*trees)
    if not changes:
        print(f"Nothing differs between {steps[0]} and {steps[1]}.")
        return 0
    command = f"make diff {new}" if old in {0, new - 1} else f"make diff {old} {new}"
    shown = choose(changes, command)
    summary = "".join(f"{line}\n" for line in summarise(steps, changes, shown, command))
    if os.environ.get("HTML"):
        page = ROOT / "build" / "diff" / f"step{old:02}-step{new:02}.html"
        page.parent.mkdir(parents=True, exist_ok=True)
        page.write_text(as_page(steps, shown), encoding="utf-8")
        print(f"{summary}{page}", flush=True)
    elif sys.stdout.isatty():
        write_to_pager(in_colour(summary, shown))
    else:
        print(summary, as_patch(trees, shown), sep="\n", end="", flush=True)
    return 0


def choose(changes, command):
    """Return the changes that FILE matches; without it, those of the code and with TESTS of tests.

    FILE is a path in the step, a folder, the name of a file or a glob.
    """
    wanted = os.environ.get("FILE")
    if not wanted:
        parts = {"code", "tests"} if os.environ.get("TESTS") else {"code"}
        return [change for change in changes if change.part in parts]
    shown = [c for c in changes if matches(c.path, wanted) or matches(c.old_path, wanted)]
    if not shown:
        paths = [quote(visible(change.path)) for change in changes[:3]]
        raise CourseError(
            f"FILE={wanted!r} is none of the files that differ, such as {', '.join(paths)}. "
            f"Type: {command} FILE={paths[0]}"
        )
    return shown


def matches(path, wanted):
    file, wanted = PurePosixPath(path), PurePosixPath(wanted)
    globs = (fnmatchcase(text, str(wanted)) for text in (path, file.name))
    return file.is_relative_to(wanted) or any(globs)


def summarise(steps, changes, shown, command):
    """Give a line for each file that is shown, one for all, and one for those that are left out."""
    for change in shown:
        yield f"{change.kind:<7} {f'+{change.added}':>5} {f'-{change.removed}':>5}  {name(change)}"
    added, removed = sum(c.added for c in shown), sum(c.removed for c in shown)
    yield f"From {' to '.join(steps)}, files: {len(shown)}, lines: +{added} -{removed}"
    rest = [] if os.environ.get("FILE") else [change for change in changes if change not in shown]
    tests, prose = ([c for c in rest if c.part == part] for part in ("tests", "prose"))
    file = quote(visible(prose[0].path)) if len(prose) == 1 else "'*.md'"
    said = [f"{len(tests)} of tests ({command} TESTS=1)"] if tests else []
    said += [f"{len(prose)} of prose ({command} FILE={file})"] if prose else []
    if said:
        yield f"Files left out: {', '.join(said)}"


def name(change):
    return " -> ".join(dict.fromkeys([visible(change.old_path), visible(change.path)]))


def blocks(change):
    """Give what is shown of a file: headings, each with its runs of lines."""
    for block in change.blocks:
        first, last = block.target_start, block.target_start + block.target_length
        inside = dict.fromkeys(h.inside for h in change.hunks if first <= h.new_start + 1 <= last)
        scopes = ", ".join(filter(None, inside)) if change.kind != "added" else ""
        ranges = block.source_start, block.source_length, first, block.target_length
        heading = "@@ -{},{} +{},{} @@ {}".format(*ranges, scopes)
        yield visible(heading.strip()), list(runs(block))
    if not change.blocks:
        yield without_lines(change), []


def without_lines(change):
    """Return what there is to say of a file that differs, but in no lines."""
    if change.old == change.new:
        return f"Only its {'name' if change.kind == 'renamed' else 'mode'} changes."
    if not change.old and not change.new:
        return "It is empty."
    return f"It is binary: {len(change.old or b'')} bytes before, {len(change.new or b'')} after."


def runs(block):
    """Give the runs of a block: pairs of an old line and a new one, None where there is no line."""
    pairs = []
    for line in block:
        text = visible(line.value.removesuffix("\n"))
        if line.line_type == "\\":  # "No newline at end of file" belongs to the line before
            for side in filter(None, pairs[-1]):
                side.pieces = [(f"{side.pieces[0][0]}\n\\{text}", False)]
        else:
            numbers = (line.source_line_no, line.target_line_no)
            pairs.append([n and Line(line.line_type, n, [(text, False)]) for n in numbers])
    for same, run in groupby(pairs, all):
        sides = [[line for line in side if line] for side in zip(*run, strict=True)]
        yield list(zip(*sides, strict=True) if same else pair(*sides))


def pair(old, new):
    """Give the pairs of a run, in which similar lines come together and all stay in order."""
    old_at = new_at = 0
    for n, line in enumerate(old if len(old) * len(new) <= MOST_PAIRS else []):
        m = next((m for m in range(new_at, len(new)) if emphasise(line, new[m])), None)
        if m is not None:
            yield from zip_longest(old[old_at:n], new[new_at:m])
            yield line, new[m]
            old_at, new_at = n + 1, m + 1
    yield from zip_longest(old[old_at:], new[new_at:])


def emphasise(old, new):
    """Let the words stand out in which two lines differ; return False if they aren't similar."""
    before, after = (WORDS.findall(line.pieces[0][0]) for line in (old, new))
    cuts = SequenceMatcher(None, before, after, autojunk=False).get_opcodes()
    same = sum(length(before[i:j]) for tag, i, j, *_ in cuts if tag == "equal")
    if 2 * same <= SIMILAR * length(before + after):
        return False
    old.pieces = [("".join(before[i:j]), tag != "equal") for tag, i, j, _, _ in cuts if i < j]
    new.pieces = [("".join(after[i:j]), tag != "equal") for tag, _, _, i, j in cuts if i < j]
    return True


def length(words):
    return sum(len(word) for word in words if not word.isspace())


def visible(text):
    """Return the text with escapes for what a terminal would obey or not show."""
    text = text.encode(errors="surrogateescape").decode(errors="backslashreplace")
    return "".join(c if c.isprintable() or c == "\t" else ascii(c)[1:-1] for c in text)


def as_patch(trees, changes):
    """Return the changes as git writes them, with all that `git apply` needs."""
    paths = {path for change in changes for path in (change.old_path, change.path)}
    options = [*OPTIONS, "--patch", "--binary", *trees, "--", *sorted(paths)]
    git = ["-c", "core.quotePath=false", "diff-tree"]
    patch = run_git(*git, *options, **store(), GIT_LITERAL_PATHSPECS="1") if changes else b""
    return decode(patch)


def as_page(steps, changes):
    """Return the changes as an HTML page that has both steps side by side."""
    from django.template import Context, Engine

    template = Engine(dirs=[Path(__file__).parent]).get_template("diff.html")
    files = [(change, name(change), list(blocks(change))) for change in changes]
    return template.render(Context({"steps": steps, "files": files}, use_l10n=False))


def in_colour(summary, changes):
    """Return summary and changes for the terminal, which itself breaks lines that are too long."""
    from rich.console import Console
    from rich.text import Text

    text = Text(summary)
    text.highlight_regex(r"(?m)^\w+ +(?P<green>\+\d+) +(?P<red>-\d+)")
    for change in changes:
        text.append(f"\n{change.kind} {name(change)}\n", "bold")
        for heading, lines in blocks(change):
            text.append(f"{heading}\n", "cyan")
            for line in unified(lines):
                style = STYLES[line.sign]
                text.append(line.sign, style)
                for piece, stands_out in line.pieces:
                    text.append(piece, f"{style} reverse" if stands_out else style)
                text.append("\n")
    console = Console(soft_wrap=True)
    with console.capture() as capture:
        console.print(text, end="")
    return capture.get()


def unified(runs):
    """Give the lines of runs one below the other, the old ones of a run first."""
    for run in runs:
        yield from (line for line, _ in run if line and line.sign == "-")
        yield from (line for _, line in run if line)


def write_to_pager(text):
    """Write text to the pager, or to the output if there is none."""
    pager = os.environ.get("PAGER", "less" if which("less") else "cat").strip()
    if pager not in {"", "cat"}:
        environ = {"LESS": "FRX"} | os.environ
        with subprocess.Popen(pager, shell=True, stdin=subprocess.PIPE, env=environ) as process:
            signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the pager
            process.communicate(text.encode())
        if process.returncode != 127:  # that means: there is no such command
            return
    print(text, end="", flush=True)
