"""Link the first use of each term of the glossary, in every chapter."""

import re
from functools import cache
from pathlib import Path

from docutils import nodes
from sphinx import addnodes
from sphinx.transforms import SphinxTransform

GLOSSARY = Path(__file__).parent.parent / "glossary.md"
UNTOUCHED = (
    nodes.literal,
    nodes.literal_block,
    nodes.reference,
    nodes.rubric,  # the title of a dropdown
    nodes.title,
    nodes.raw,
    nodes.Admonition,
    nodes.table,
    addnodes.pending_xref,
)


@cache
def terms():
    """Return the terms of the glossary: longest first, as they are written there."""
    block = re.search(r"(?s)```\{glossary\}\n(.*?)```", GLOSSARY.read_text())[1]
    found = re.findall(r"(?m)^(\S.*)$", block)
    return sorted(found, key=len, reverse=True)


class LinkTerms(SphinxTransform):
    default_priority = 400

    def apply(self):
        if not re.fullmatch(r"step\d\d|deploy", self.env.docname):
            return
        waiting = terms()
        for node in list(self.document.findall(nodes.Text)):
            if not is_prose(node):
                continue
            parts, rest = [], str(node)
            while found := first_term(waiting, rest):
                match, term = found
                waiting = [other for other in waiting if other != term]
                link = addnodes.pending_xref(
                    "",
                    nodes.inline(match[0], match[0], classes=["std", "std-term"]),
                    refdomain="std",
                    reftype="term",
                    reftarget=term,
                    refdoc=self.env.docname,
                    refwarn=True,
                    refexplicit=True,
                )
                parts += [nodes.Text(rest[: match.start()]), link]
                rest = rest[match.end() :]
            if parts:
                node.parent.replace(node, [*parts, nodes.Text(rest)])


def is_prose(node):
    parent = node.parent
    while parent is not None:
        if isinstance(parent, UNTOUCHED):
            return False
        parent = parent.parent
    return True


def first_term(waiting, text):
    """Return the match of the term that comes first in a text, and the term; None without any."""
    found = [
        (match, term)
        for term in waiting
        if (match := re.search(rf"(?<![\w-]){re.escape(term)}(?:e?s)?(?![\w-])", text))
    ]
    return min(found, key=lambda pair: (pair[0].start(), -len(pair[1])), default=None)


def setup(app):
    app.add_transform(LinkTerms)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
