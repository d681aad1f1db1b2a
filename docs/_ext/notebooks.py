"""Write the chapters as notebooks that run anywhere beside the course: notebooks.py FOLDER [--run].

What only Sphinx understands becomes plain Markdown: hunks are diffs, boxes are quotations. With
--run each notebook is executed once, and nothing of that is kept.
"""

import os
import re
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import jupytext
import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

from course.chapters import DOCS, deploy_changes, find_hunks, load_chapters
from course.learn.diff import count
from course.steps import STEPS

FENCE = re.compile(r"(?ms)^(`{3,}|:{3,})\{([\w-]+)\} *([^\n]*)\n(.*?)^\1[ \t]*$\n?")
OPTION = re.compile(r"(?m)\A(?::[\w-]+:.*\n)+")


AT_ONCE = 3  # notebooks that are run; each starts servers of its own


def main(folder, run):
    folder.mkdir(parents=True, exist_ok=True)
    chapters, notebooks = load_chapters(), {}
    for page in sorted(DOCS.glob("*.md")):
        if is_notebook(page):
            file = folder / f"{page.stem}.ipynb"
            notebooks[file] = convert(page, chapters, folder)
            nbformat.write(notebooks[file], file)
            print(file)
    if not run:
        return 0
    with ThreadPoolExecutor(AT_ONCE) as pool:
        errors = list(filter(None, pool.map(execute, notebooks, notebooks.values())))
    print(*errors, sep="\n", end="", file=sys.stderr)
    return 1 if errors else 0


def execute(file, notebook):
    """Run a notebook; return what is wrong with it, or None."""
    resources = {"metadata": {"path": str(file.parent)}}
    try:
        NotebookClient(notebook, timeout=300, resources=resources).execute()
    except CellExecutionError as error:
        return f"{file} fails: {error}"
    return None


def convert(page, chapters, folder):
    """Return the notebook of a page."""
    notebook = jupytext.read(page, fmt="md:myst")
    number = int(page.stem[4:]) if re.fullmatch(r"step\d\d", page.stem) else None
    changes = chapters[number].changes if number else deploy_changes()
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = to_markdown(cell.source, number, changes)
    docs = os.path.relpath(DOCS, folder)
    code = f'import sys\n\nsys.path[:0] = ["{docs}", "{docs}/.."]'
    notebook.cells.insert(0, nbformat.v4.new_code_cell(code))
    return notebook


def to_markdown(text, number, changes):
    """Return MyST Markdown as plain Markdown."""

    def replace(match):
        _, kind, argument, body = match.groups()
        body = to_markdown(OPTION.sub("", body), number, changes)
        match kind:
            case "stepdiff":
                return as_diff(changes, argument)
            case "stepfiles":
                return as_table(changes)
            case "follow":
                name = STEPS[number].name
                return f"The finished step is in `{name}/`: `make step {number}` serves it.\n"
            case "run-step":
                return ""
            case "checkpoint":
                return quoted("What you should see now", body)
            case "sequence":
                return f"```text\n{argument}\n\n{body}```\n"
            case _:
                return quoted(argument or kind, body)

    def link(match):
        words, page = match[1] or match[3], match[2] or match[3]
        return f"[{words}]({page}.ipynb)" if is_notebook(DOCS / f"{page}.md") else words

    text = FENCE.sub(replace, text)
    return re.sub(r"\{doc\}`(?:([^`<]*?) ?<(\w[\w-]*)>|([\w-]+))`", link, text)


def is_notebook(page):
    return "file_format: mystnb" in page.read_text()


def as_diff(changes, argument):
    """Return the hunks that a `stepdiff` shows, as a fenced diff."""
    path, _, text = argument.partition(" ")
    lines = [line for h in find_hunks(changes, path, text) for line in h.lines]
    body = "".join(line.sign + line.text.rstrip("\n") + "\n" for line in lines)
    return f"`{path}`\n\n````diff\n{body}````\n"


def as_table(changes):
    rows = [
        f"| `{c.path}` | {count(c, '+')} | {count(c, '-')} |" for c in changes if c.part == "code"
    ]
    return "\n".join(["| file | lines + | − |", "|---|--:|--:|", *rows, ""])


def quoted(title, body):
    lines = [f"**{title}**", "", *body.strip().splitlines()]
    return "\n".join(f"> {line}".rstrip() for line in lines) + "\n"


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), "--run" in sys.argv))
