"""make hint: help with the next change, more precise each time."""

import builtins
import json
import keyword
import re

from course.errors import name_some
from course.learn.check import describe_tests, find_next
from course.learn.examine import examine
from course.learn.playground import PLAYGROUND, in_one_sentence, read, read_playground
from course.learn.progress import note
from course.learn.status import DIFFERS
from course.learn.trial import LOG, OUTCOME

KNOWN = {*keyword.kwlist, *keyword.softkwlist, *dir(builtins), "self"}
KNOWN |= {"const", "let", "function", "new", "null", "of", "this", "typeof"}  # of JavaScript
LEVELS = 4


def hint():
    """Print the next hint about what comes next in the playground; return 0."""
    playground = read_playground()
    with in_one_sentence():
        report = examine(playground)
    if report.problems:
        print(report.problems[0])
        return 0
    report.tests = read_outcome()
    place = find_next(report)
    if place is None:
        return hint_at_test(report)
    known = note(playground.number, hint=place.hunk.address)
    level = min(known["hints"][place.hunk.address], LEVELS)
    for text in [idea, name, lines if level == LEVELS else shape][:level]:
        print(text(place))
    if level < LEVELS:
        print(f"({level} of {LEVELS}; for more, type make hint again)")
    else:
        print(f"To have the file finished, type: make solve FILE={place.hunk.path}")
    return 0


def read_outcome():
    """Return what the last make check has seen of the tests, None if it was interrupted."""
    return json.loads(OUTCOME.read_text()) if OUTCOME.exists() else None


def hint_at_test(report):
    """Print what the last failed test says, when nothing is missing in the code; return 0."""
    others = [f"{p.hunk.path}:{p.line}" for p in report.having(DIFFERS) if not p.harmless]
    if others := list(dict.fromkeys(others + report.own)):
        print(f"Your code differs from ours at {name_some(others)}.")
    if report.removed:
        print(f"You removed code that both steps have, after {name_some(report.removed)}.")
    if not report.tests or not report.tests["failed"]:
        print("Nothing is missing. To see whether it works, type: make check")
        return 0
    print("Nothing is missing in the code of the step. The last make check said:\n")
    print(describe_tests(report))
    print(f"All that the tests printed is in {LOG}.")
    return 0


def idea(place):
    if place.kind == "removed":
        return "A file isn't needed any longer."
    if place.block is None:
        return "The guide leaves this change out: it teaches nothing about WebSockets."
    return place.block.hint or f"Read “{place.block.section}” in the guide."


def name(place):
    """Say in which file and at which line of it."""
    path, scope = place.hunk.path, f", in {place.hunk.name}" if place.hunk.name else ""
    text = read(PLAYGROUND / path)
    if text is None:
        return f"It belongs in a new file, {path}{scope}."
    if not place.line:
        return f"It belongs in {path}{scope}, at the top."
    near = text.splitlines()[place.line - 1].strip()
    if place.state == DIFFERS:
        return f"Look at {path}{scope}, line {place.line}: {near}"
    at = "in place of" if place.old else "after"
    return f"It belongs in {path}{scope}, {at} line {place.line}: {near}"


def shape(place):
    """Show the lines without the names and texts that are new."""
    hunk, text = place.hunk, read(PLAYGROUND / place.hunk.path) or ""
    known = KNOWN | set(re.findall(r"\w+", text))
    if not hunk.added:
        return f"{len(hunk.removed)} lines go."
    return "".join(mask(line.text, known) for line in hunk.lines if line.sign == "+").strip("\n")


def mask(line, known):
    def hide(found):
        return found[0] if found[0] in known else "…"

    line = re.sub(r"\"[^\"]*\"|'[^']*'", "…", line)
    return re.sub(r"[A-Za-z_]\w*", hide, line)


def lines(place):
    """Show the lines, as in a diff."""
    return "".join(f"{line.sign} {line.text.rstrip()}\n" for line in place.hunk.lines).rstrip()
