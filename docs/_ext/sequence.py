"""The directive `sequence`: a drawing of who sends what to whom, in order, as SVG.

    ```{sequence} A message to the group
    alice: alice's browser
    consumer: her consumer
    alice -> consumer: {"message": "hi"}
    consumer --> alice: nothing yet
    consumer: saves it
    == a line of its own ==
    ```

The lines before the first arrow name those who take part; `-->` is drawn with dashes; a line
`NAME: text` after it is what that one does by itself.
"""

import re
from html import escape

from docutils import nodes
from sphinx.util.docutils import SphinxDirective

COLUMN, ROW, TOP, CHARACTER = 160, 44, 52, 7.4  # in the units of the drawing


class Sequence(SphinxDirective):
    has_content = True
    required_arguments = 1
    final_argument_whitespace = True

    def run(self):
        try:
            drawing = draw(self.arguments[0], list(self.content))
        except KeyError as error:
            raise self.error(f"Nobody is named {error} in this drawing") from None
        return [nodes.raw("", drawing, format="html")]


def draw(title, lines):
    """Return the drawing as HTML."""
    names, events = read(lines)
    at = {name: COLUMN // 2 + n * COLUMN for n, name in enumerate(names)}
    width, height = COLUMN * len(names), TOP + ROW * len(events) + 12
    body = []
    for name, label in names.items():
        body.append(f'<line class="life" x1="{at[name]}" y1="38" x2="{at[name]}" y2="{height}"/>')
        half = COLUMN // 2 - 8
        body.append(f'<rect x="{at[name] - half}" y="6" width="{2 * half}" height="32" rx="4"/>')
        body.append(text(at[name], 27, label, "name"))
    for n, (kind, start, end, words) in enumerate(events):
        y = TOP + ROW * n + 26
        if kind == "==":
            body.append(f'<line class="rule" x1="4" y1="{y}" x2="{width - 4}" y2="{y}"/>')
            body.append(text(width / 2, y - 6, words, "rule"))
        elif start == end:
            body.append(text(at[start], y, words, "own", width))
        else:
            dashed = ' class="dashed"' if kind == "-->" else ""
            tip = at[end] - 3 * (1 if at[end] > at[start] else -1)
            body.append(
                f'<line{dashed} x1="{at[start]}" y1="{y}" x2="{tip}" y2="{y}" '
                'marker-end="url(#arrow)"/>'
            )
            body.append(text((at[start] + at[end]) / 2, y - 7, words, "said", width))
    words, least = escape(described(title, names, events)), round(width * 0.7)
    return (
        f'<figure class="sequence"><div class="scroll" tabindex="0" role="group" '
        f'aria-label="{escape(title)}"><svg viewBox="0 0 {width} {height}" role="img" '
        f'style="min-width: {least}px" aria-label="{words}">'
        '<defs><marker id="arrow" markerWidth="9" markerHeight="9" refX="8" refY="4" orient="auto">'
        f'<path d="M0,0 L8,4 L0,8 z"/></marker></defs>{"".join(body)}</svg></div>'
        f"<figcaption>{escape(title)}</figcaption></figure>"
    )


def read(lines):
    """Return the labels by name, and the events: (kind, from, to, words)."""
    names, events = {}, []
    for line in filter(str.strip, lines):
        if found := re.fullmatch(r"(\S+) (-->|->) (\S+?):\s*(.*)", line):
            start, kind, end, words = found.groups()
            events.append((kind, names and start, end, words))
        elif found := re.fullmatch(r"== (.*) ==", line):
            events.append(("==", "", "", found[1]))
        else:
            name, words = re.fullmatch(r"(\S+?): *(.*)", line).groups()
            if events:
                events.append(("own", name, name, words))
            else:
                names[name] = words
    return names, events


def text(x, y, words, kind, width=None):
    """Return a text in the middle of a place that hides the lines behind it, inside the drawing."""
    half = len(words) * CHARACTER / 2 + 4
    if width:
        x = min(max(x, half), width - half)
    place = ""
    if kind in ("own", "said"):
        place = f'<rect class="place" x="{x - half}" y="{y - 14}" width="{2 * half}" height="18"/>'
    return f'{place}<text class="{kind}" x="{x}" y="{y}">{escape(words)}</text>'


def described(title, names, events):
    """Return the drawing in words, for those who can't see it."""
    said = []
    for kind, start, end, words in events:
        if kind == "==":
            said.append(words)
        elif start == end:
            said.append(f"{names[start]}: {words}")
        else:
            said.append(f"{names[start]} to {names[end]}: {words}")
    return f"{title}. {'; '.join(said)}."


def setup(app):
    app.add_directive("sequence", Sequence)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
