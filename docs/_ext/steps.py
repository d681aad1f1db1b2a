"""Directives that show what a step adds: stepdiff, stepfiles, checkpoint and follow.

Which hunks a `stepdiff` shows is in course/chapters.py; the number of the step is that of the page.
"""

import json
import os
import re
from functools import cache
from html import escape

from docutils import nodes
from docutils.parsers.rst import directives
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import TextLexer, get_lexer_by_name, get_lexer_for_filename
from pygments.util import ClassNotFound
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective

from course.chapters import deploy_changes, find_hunks, is_of_tests, load_chapters
from course.learn.diff import count
from course.learn.tab import MANIFEST
from course.steps import ROOT, STEPS

TOP = 12  # lines at the beginning of a file
AROUND, MOST_AROUND = 2, 8  # lines of context, where they are there already: until one has a word
WORD = re.compile(r"\w")
OFFER = """\
<section class="run-step" data-step="{number}" data-runtime="{runtime}" data-panel="{panel}" \
aria-labelledby="run-step-title">
<h2 id="run-step-title">Run this step here</h2>
<div class="offer">
<p>The step’s code can run in this page: Django, Channels, and the browsers of alice and bob.
Nothing has to be installed, and nothing that you do is sent anywhere.
{megabytes} MB are loaded, once for all chapters.</p>
<button type="button" class="primary">Run step {number} here ({megabytes} MB)</button>
<p class="obstacle" role="status"></p>
<noscript><p>It needs JavaScript, which is switched off in this browser.</p></noscript>
</div>
</section>
"""
logger = logging.getLogger(__name__)


@cache
def chapters():
    return load_chapters()


class StepDirective(SphinxDirective):
    """A directive of a chapter."""

    has_content = True
    optional_arguments = 1
    final_argument_whitespace = True

    @property
    def number(self):
        return int(self.env.docname.removeprefix("step"))

    @property
    def chapter(self):
        return chapters()[self.number]

    @property
    def block(self):
        """The Block of the chapter that this directive is."""
        lines = [self.lineno, self.lineno - 1, self.lineno + 1]  # docutils counts otherwise
        return next(b for b in self.chapter.blocks if b.line in lines)

    def shown_before(self, block):
        """Return the hunks that the chapter shows above that block."""
        blocks = self.chapter.blocks
        return [hunk for other in blocks[: blocks.index(block)] for hunk in other.hunks]

    def depend_on(self, paths):
        """Let Sphinx read the page again when one of these files of the step changes."""
        for number in (self.number - 1, self.number):
            if number in STEPS:
                for path in paths:
                    self.env.note_dependency(str(STEPS[number] / path))

    def parse(self, text):
        return self.parse_text_to_nodes(text)


class StepDiff(StepDirective):
    """Show hunks of a file: `{stepdiff} PATH [NAME or text]`."""

    option_spec = {"hint": directives.unchanged}

    def run(self):
        path, _, text = self.arguments[0].partition(" ")
        if self.env.docname == "deploy":
            changes = deploy_changes()
            hunks = find_hunks(changes, path, text)
            if not hunks:
                raise self.error(f"deploy has no {self.arguments[0]}")
            self.env.note_dependency(str(ROOT / "deploy" / path))
            return [as_node(changes, hunks, set(), given=True)]
        self.depend_on([path])
        block = self.block
        if not block.hunks:  # load_chapters() complains
            return []
        known = {hunk.address for hunk in [*self.shown_before(block), *self.chapter.waived]}
        return [as_node(self.chapter.changes, block.hunks, known, given=self.number == 1)]


def as_node(changes, hunks, known, given):
    """Return the node that shows these hunks; `known` are the addresses of those before."""
    change = next(c for c in changes if hunks[0] in c.hunks)
    figure = stepdiff("".join("".join(h.added) for h in hunks))
    kind = {"added": "a new file", "removed": "a file that is removed"}.get(change.kind, "")
    if kind and any(hunk.address in known for hunk in change.hunks):
        kind = "the same file"
    names = list(dict.fromkeys(place_of(change, hunk) for hunk in hunks))
    figure["path"], figure["notes"] = change.path, [*([kind] if kind else []), *filter(None, names)]
    figure["parts"], figure["given"] = [], given
    old, new = colour(change.path, change.old), colour(change.path, change.new)
    owner = {line.new: h.address for h in change.hunks for line in h.lines if line.sign == "+"}
    for hunk in hunks:
        part = []
        for line in hunk.lines:
            kind = {"+": "ins", "-": "del"}.get(line.sign, "same")
            part.append((kind, old[line.old] if kind == "del" else new[line.new]))
        end = hunk.new_start + len(hunk.added)
        if not given:
            above = around(range(hunk.new_start - 1, -1, -1), change.new, owner, known)
            below = around(range(end, len(new)), change.new, owner, known)
            part = [("context", new[n]) for n in reversed(above)] + part
            part += [("context", new[n]) for n in below]
        figure["parts"].append(part)
        known.add(hunk.address)
    return figure


def place_of(change, hunk):
    """Return in words where the hunk is: in which class or function, or at an end of the file."""
    name = hunk.name
    first = next((line.text for line in hunk.lines if line.sign == "+" and line.text.strip()), "")
    if not first or re.match(r"\s*(class|def|async def|@)", first):
        name = name.rpartition(".")[0]
    if name:
        return f"in {name}"
    if change.kind == "changed" and hunk.new_start + len(hunk.added) == len(change.new):
        return "at the end"
    return "at the top" if hunk.new_start < TOP and change.kind == "changed" else ""


def around(numbers, lines, owner, known):
    """Return the numbers of the nearest lines, as far as they are in the file by now."""
    found = []
    for n in numbers:
        enough = len(found) >= AROUND and any(WORD.search(lines[line]) for line in found)
        if enough or len(found) == MOST_AROUND or (n in owner and owner[n] not in known):
            break
        found.append(n)
    while found and not lines[found[-1]].strip():  # blank lines at the edge say nothing
        found.pop()
    return found


def colour(path, lines):
    """Return each line of a file as HTML, highlighted."""
    try:
        lexer = get_lexer_for_filename(path, stripnl=False, ensurenl=False)
    except ClassNotFound:
        lexer = TextLexer(stripnl=False, ensurenl=False)
    if path.endswith(".html"):
        lexer = get_lexer_by_name("html+django", stripnl=False, ensurenl=False)
    text = highlight("".join(lines), lexer, HtmlFormatter(nowrap=True))
    found = text.splitlines()
    return found + [""] * (len(lines) - len(found))


class stepdiff(nodes.literal_block):
    """Hunks of a file: `path`, `notes`, and `parts`, lists of (kind, HTML of a line)."""


SIGNS = {"ins": "+", "del": "−", "same": " ", "context": " "}


def visit_stepdiff(self, node):
    notes = "".join(f" <span>{escape(note)}</span>" for note in node["notes"])
    self.body.append(f'<figure class="stepdiff"><figcaption><code>{escape(node["path"])}</code>')
    self.body.append(f"{notes}</figcaption>")
    for part in node["parts"]:
        lines = []
        for kind, line in part:
            tag = kind if kind in ("ins", "del") and not node["given"] else "span"
            sign = "" if node["given"] else f'<span class="sign">{SIGNS[kind]} </span>'
            lines.append(f'<{tag} class="{kind}">{sign}{line}\n</{tag}>')
        code = "".join(lines)
        self.body.append(f'<div class="highlight"><pre tabindex="0">{code}</pre></div>')
    self.body.append("</figure>\n")
    raise nodes.SkipNode


class StepFiles(StepDirective):
    """Show a table of the files that differ, with the numbers of lines."""

    def run(self):
        self.depend_on([change.path for change in self.chapter.changes])
        rows = [
            (f"`{c.path}`", count(c, "+"), count(c, "-"), c.kind)
            for c in self.chapter.changes
            if c.part == "code"
        ]
        tests = [c for c in self.chapter.changes if c.part == "tests"]
        added, removed = (sum(count(c, sign) for c in tests) for sign in "+-")
        rows.append((f"tests, {len(tests)} files", added, removed, "changed"))
        lines = ["| + | − | lines in | change |", "|--:|--:|---|---|"]
        lines += [f"| {plus} | {minus} | {name} | {kind} |" for name, plus, minus, kind in rows]
        return self.parse("\n".join(lines))


class Checkpoint(StepDirective):
    """Say what a reader should see now. The arguments name tests that pass by then."""

    def run(self):
        shown = [h for h in self.shown_before(self.block) if not is_of_tests(h.path)]
        changes = [change for change in self.chapter.changes if change.part == "code"]
        total = sum(len(change.hunks) for change in changes)  # as in make check
        so_far = f"*{len(shown)} of {total} hunks are typed.*"
        text = "\n".join(self.content)
        head = "::::{admonition} What you should see now\n:class: tip\n\n"
        return self.parse(f"{head}{text}\n\n{so_far}\n::::")


class Follow(StepDirective):
    """Say how to follow along with the chapter."""

    def run(self):
        n, name = self.number, STEPS[self.number].name
        repository = os.environ.get("GITHUB_REPOSITORY")
        folder = f"`{name}/`"
        if repository:
            folder = f"[{folder}](https://github.com/{repository}/tree/HEAD/{name})"
        lines = [
            "::::{admonition} Follow along",
            f"The finished step is in the folder {folder}. In the top folder of the course:",
            "",
            "```sh",
            f"make step {n}     # serve it",
            *([f"make diff {n}     # all that changes, in the order of this chapter"] * (n > 1)),
            f"make test {n}     # run its tests",
            "```",
            *(playground(n) if n > 1 else []),
            "::::",
        ]
        return self.parse("\n".join(lines))


class RunStep(StepDirective):
    """Offer to run the step in the page; nothing without what `make tab` builds."""

    def run(self):
        self.env.note_dependency(str(MANIFEST))
        if not MANIFEST.exists():
            return []
        built = json.loads(MANIFEST.read_text())
        megabytes = round(built["bytes"] / 1_000_000)
        text = OFFER.format(number=self.number, megabytes=megabytes, **built)
        return [nodes.raw("", text, format="html")]


def playground(number):
    """Return the lines on typing the changes of a chapter."""
    return [
        "",
        f"To type the changes yourself, begin with the end of step {number - 1} in `playground/`:",
        "",
        "```sh",
        f"make start {number}    # what is in playground/ is saved first",
        "make play       # serve it",
        "make check      # how far you are; make watch checks whenever you save",
        "make hint       # when you are stuck, a little more each time",
        "```",
        "",
        "This chapter shows some of the new tests. `make check` runs all those of the step, so "
        "you needn't type them.",
    ]


def check_chapters(app):
    for chapter in chapters().values():
        for complaint in chapter.complaints:
            logger.warning(complaint)


def setup(app):
    app.add_node(stepdiff, html=(visit_stepdiff, None))
    app.add_directive("stepdiff", StepDiff)
    app.add_directive("stepfiles", StepFiles)
    app.add_directive("checkpoint", Checkpoint)
    app.add_directive("follow", Follow)
    app.add_directive("run-step", RunStep)
    app.connect("builder-inited", check_chapters)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
