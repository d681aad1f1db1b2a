"""How far a file of a learner is on the way from one step to the next.

find_status() is a function of texts: it reads no file and needs no git. Texts are compared by their
units: in Python the statements, split at commas in brackets, elsewhere the lines. White space,
quotes, trailing commas and the order of imports make no difference; comments and docstrings may
say anything.
"""

import ast
import io
import re
import tokenize
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from functools import partial
from itertools import combinations, groupby
from typing import NamedTuple

DONE, MISSING, DIFFERS = "done", "missing", "differs"
LONG = 20  # characters of code that is recognised in another place
FEW, MOST = 2, 4  # hunks that are tried together, if there is other code, and if there is none
OPENING, CLOSING = "([{", ")]}"
COMMENT = re.compile(r"#|//|/\*|\*|<!--|\{#")
LAYOUT = {tokenize.NL, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER}


class Unit(NamedTuple):
    """A part of a file that is compared as a whole, and its first and last line, from 0."""

    text: str
    first: int
    last: int
    words: bool = False  # a comment or a docstring
    imports: bool = False


@dataclass
class Status:
    """How far a file is: the state of each hunk by address, and a line of the file for it.

    `lines` has, from 1, where a hunk is: after which line what is missing belongs or, where its old
    lines are still there, the first of those (`old` has these addresses), or what differs. `left`
    has the addresses of hunks that are done but for the old lines, `unsure` of those that are there
    in part, `elsewhere` of those that are missing though all their code is somewhere in the file;
    `extra` has the lines of code that belong to neither step, `removed` those after which code of
    both is missing.
    """

    hunks: dict = field(default_factory=dict)
    lines: dict = field(default_factory=dict)
    old: set = field(default_factory=set)
    left: set = field(default_factory=set)
    unsure: set = field(default_factory=set)
    elsewhere: set = field(default_factory=set)
    extra: list = field(default_factory=list)
    removed: list = field(default_factory=list)


def find_status(change, text):
    """Return the Status of a file: of the hunks of a course.hunks.Change in the learner's text.

    `text` is None when there is no file.
    """
    if text is None:
        state = DONE if change.kind == "removed" else MISSING
        return Status({hunk.address: state for hunk in change.hunks})
    read = partial(read_units, change.path)
    try:
        theirs = read(text)
    except (SyntaxError, tokenize.TokenError):
        read = read_lines
        theirs = read(text)
    compared = Comparison(*(read("".join(lines)) for lines in (change.old, change.new)), theirs)
    status = compared.status(change.hunks)
    most = FEW if compared.unknown or compared.moved else MOST
    settle(change, status, most, lambda text: read(text) == theirs)
    return status


def settle(change, status, most, is_theirs):
    """Correct what is there in part only because lines stand in the file more than once.

    Up to `most` hunks are tried together. `is_theirs` tells whether a text is the learner's.
    """
    addresses = list(status.hunks)
    unsure = [
        n for n in range(len(addresses)) if status.unsure & set(addresses[max(n - 1, 0) : n + 2])
    ]
    if not unsure and not status.removed:
        return
    done = {address for address, state in status.hunks.items() if state == DONE}
    for size in range(min(len(unsure), most) + 1):
        for some in combinations(unsure, size):
            tried = done ^ {change.hunks[n].address for n in some}
            if is_theirs(change.text_with(tried)):
                status.left.clear()
                status.extra.clear()
                status.removed.clear()
                status.hunks |= {a: DONE if a in tried else MISSING for a in status.hunks}
                return


class Comparison:
    """The units of the step before, of the step and of the learner, and which are the same."""

    def __init__(self, base, target, theirs):
        self.base, self.target, self.theirs = base, target, theirs
        self.lesson = find_same(base, target)
        self.old = set(range(len(base))) - self.lesson.keys()  # units that the step removes
        self.new = set(range(len(target))) - set(self.lesson.values())  # and adds
        self.of_base = find_same(base, theirs)  # index in theirs by index in base
        self.of_target = {b: a for a, b in find_same(theirs, target).items()}
        self.in_target = set(self.of_target.values())
        known = {*self.of_base.values(), *self.in_target}
        unknown = [n for n in range(len(theirs)) if n not in known]
        self.moved = self.find_moved(unknown)
        self.lacking = set(Counter(map(plain, target)) - Counter(map(plain, theirs)))
        self.unknown = [n for n in unknown if n not in self.moved.values()]

    def find_moved(self, unknown):
        """Return the indexes of units that stand elsewhere, by those in the finished step."""
        moved, rest = {}, [n for n in range(len(self.target)) if n not in self.of_target]
        while True:
            texts = [
                [plain(units[n]) for n in indexes]
                for units, indexes in ((self.target, rest), (self.theirs, unknown))
            ]
            found = SequenceMatcher(None, *texts, autojunk=False).find_longest_match()
            a, b = slice(found.a, found.a + found.size), slice(found.b, found.b + found.size)
            if len("".join(texts[0][a])) < LONG:
                return moved
            moved |= dict(zip(rest[a], unknown[b], strict=True))
            rest = [n for n in rest if n not in moved]
            unknown = [n for n in unknown if n not in moved.values()]

    def status(self, hunks):
        status, explained = Status(), set()
        for hunk in hunks:
            state, near = self.judge(hunk, status)
            status.hunks[hunk.address] = state
            explained.update(near)
        code = [n for n in self.unknown if n not in explained and not self.theirs[n].words]
        removed = [
            n
            for b, n in self.lesson.items()
            if b not in self.of_base and n not in self.of_target and n not in self.moved
            if plain(self.target[n]) in self.lacking and not self.target[n].words
        ]
        status.removed = sorted({self.line_above(self.target[n].first) for n in removed})
        status.extra = sorted({self.theirs[n].first + 1 for n in code})
        return status

    def judge(self, hunk, status):
        """Return the state of a hunk, and the unknown units that stand in its place."""
        new = self.in_lines(self.new, self.target, {n.new for n in hunk.lines if n.sign == "+"})
        old = self.in_lines(self.old, self.base, {n.old for n in hunk.lines if n.sign == "-"})
        words = all(self.target[n].words for n in new) and all(self.base[n].words for n in old)
        if not words:
            new = [n for n in new if not self.target[n].words]
            old = [n for n in old if not self.base[n].words]
        done = [n for n in new if n in self.of_target]
        # A unit of the step before that the finished step doesn't explain.
        left = [n for n in old if n in self.of_base and self.of_base[n] not in self.in_target]
        before, after = self.place(new, old)
        near = [n for n in self.unknown if before < n < after]
        code = [n for n in near if not self.theirs[n].words]
        status.lines[hunk.address] = self.line_above(hunk.new_start)
        goes = {n.old for n in hunk.lines if n.sign == "-"}
        if there := left or self.in_lines(self.of_base, self.base, goes):
            status.old.add(hunk.address)
            status.lines[hunk.address] = self.theirs[self.of_base[there[0]]].first + 1
        if len(done) == len(new) and not left:
            inside = [n for n in code if done and self.spans(done, n)]
            if not inside:
                return DONE, []
            status.lines[hunk.address] = self.theirs[inside[0]].first + 1
            return DIFFERS, inside
        moved = [self.moved[n] for n in new if n in self.moved]
        if moved and len(done) + len(moved) == len(new) and not left:
            status.lines[hunk.address] = self.theirs[moved[0]].first + 1
            return DIFFERS, code
        undone = len(done) < len(new) or not new
        if undone and len(left) == len(old) and not (near if words else code):
            if done:
                status.unsure.add(hunk.address)
            if new and not self.lacking & {plain(self.target[n]) for n in new}:
                status.elsewhere.add(hunk.address)
            return MISSING, []
        status.unsure.add(hunk.address)
        if words:
            return DONE, near
        if len(done) == len(new):
            status.left.add(hunk.address)
        elif code:
            status.lines[hunk.address] = self.theirs[code[0]].first + 1
        return DIFFERS, near

    @staticmethod
    def in_lines(indexes, units, lines):
        return [n for n in sorted(indexes) if lines & set(range(units[n].first, units[n].last + 1))]

    def place(self, new, old):
        """Return the indexes of the learner's units between which a hunk belongs."""
        indexes, same = (new, self.of_target) if new else (old, self.of_base)
        if not indexes:
            return -1, len(self.theirs)
        before = [same[n] for n in same if n < indexes[0]]
        after = [same[n] for n in same if n > indexes[-1]]
        return max(before, default=-1), min(after, default=len(self.theirs))

    def line_above(self, line):
        """Return the last line, from 1, that the learner has of those above one of the step."""
        above = [n for n in self.of_target if self.target[n].last < line]
        last = max(above, key=lambda n: self.target[n].last, default=None)
        return 0 if last is None else self.theirs[self.of_target[last]].last + 1

    def spans(self, done, n):
        places = [self.of_target[index] for index in done]
        return min(places) < n < max(places)


def plain(unit):
    """Return the text of a unit without its indentation."""
    return unit.text.lstrip("0123456789 ")


def same_operations(text, other):
    """Return whether two migrations do the same, whatever else is in them."""
    dumps = []
    for each in (text, other):
        with suppress(SyntaxError, ValueError):
            for node in ast.walk(ast.parse(each)):
                if isinstance(node, ast.Assign) and ast.unparse(node.targets) == "operations":
                    dumps.append(ast.dump(node.value))
    return len(dumps) == 2 and dumps[0] == dumps[1]


def find_same(before, after):
    """Return the indexes of the units of `after` by those of the same units of `before`."""
    texts = [[unit.text for unit in units] for units in (before, after)]
    blocks = SequenceMatcher(None, *texts, autojunk=False).get_matching_blocks()
    return {block.a + n: block.b + n for block in blocks for n in range(block.size)}


def read_units(path, text):
    """Return the units of a file; raise SyntaxError or TokenError if it can't be read as Python."""
    if not path.endswith(".py"):
        return read_lines(text)
    units = []
    for statement in split_statements(text):
        units += read_statement(statement)
    return sort_imports(units)


def read_lines(text):
    """Return a unit for each line that isn't blank."""
    return [
        Unit(" ".join(line.split()), n, n, bool(COMMENT.match(line.strip())))
        for n, line in enumerate(text.splitlines())
        if line.strip()
    ]


def split_statements(text):
    """Yield the tokens of each statement and comment, with the depth of their indentation."""
    depth, tokens = 0, []
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        depth += (token.type == tokenize.INDENT) - (token.type == tokenize.DEDENT)
        if token.type == tokenize.COMMENT:
            yield depth, [token]
        elif token.type == tokenize.NEWLINE:
            yield depth, tokens
            tokens = []
        elif token.type not in LAYOUT:
            tokens.append(token)


def read_statement(statement):
    """Return the units of a statement: its parts between commas in brackets."""
    indent, tokens = statement
    if not tokens:
        return []
    first, kind = tokens[0], tokens[0].type
    if first.string in ("import", "from"):
        return list(read_import(indent, tokens))
    if len(tokens) == 1 and kind in (tokenize.COMMENT, tokenize.STRING):
        text = " ".join(first.string.split())
        return [Unit(text, first.start[0] - 1, first.end[0] - 1, words=True)]
    units, part, depth, ended = [], [], 0, False
    for token in tokens:
        if ended and token.string not in CLOSING:
            units.append(part)
            part = []
        ended = False
        if token.string == "," and depth:
            ended = True
            continue
        part.append(token)
        depth += (token.string in OPENING) - (token.string in CLOSING)
        ended = token.string in OPENING
    units.append(part)
    return [
        Unit(
            f"{indent if part is units[0] else ''} {' '.join(map(normal, part))}",
            part[0].start[0] - 1,
            part[-1].end[0] - 1,
        )
        for part in units
        if part
    ]


def read_import(indent, tokens):
    """Yield a unit for each name that a statement imports."""
    words = [token for token in tokens if token.string not in ("(", ")")]
    at = next((n for n, token in enumerate(words) if token.string == "import"), 0)
    module = " ".join(token.string for token in words[: at + 1])
    for comma, run in groupby(words[at + 1 :], lambda token: token.string == ","):
        if not comma:
            names = list(run)
            text = " ".join(token.string for token in names)
            line = names[0].start[0] - 1
            yield Unit(f"{indent} {module} {text}", line, line, imports=True)


def sort_imports(units):
    """Return the units with each run of imports in the order of the alphabet."""
    runs = groupby(units, lambda unit: unit.imports)
    return [unit for imports, run in runs for unit in (sorted(run) if imports else run)]


def normal(token):
    """Return the text of a token; of a string always with the same quotes."""
    if token.type == tokenize.STRING:
        with suppress(ValueError, SyntaxError):
            return repr(ast.literal_eval(token.string))
    if token.string.strip("\"'") == "" != token.string:  # the end of an f-string
        return "'"
    found = re.fullmatch(r"(?s)([a-zA-Z]+)(\"\"\"|'''|\"|')(.*?)(\2)?", token.string)
    return f"{found[1].lower()}'{found[3]}'" if found else token.string
