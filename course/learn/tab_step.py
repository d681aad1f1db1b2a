"""What the panel of a chapter knows about its step: files to edit, and mistakes to make in them."""

import ast
import re

from course.chapters import DOCS, chapter_file, load_chapters
from course.errors import CourseError
from course.steps import STEPS

GIVEN = ["chat/views.py", "alert/views.py", "static/alerts.js", "mychannels/settings.py"]
TWO_SERVERS = {4, 5}  # the steps whose lesson is what a second server hears
# Python 3.14, which runs in the tab, says it in other words than the Python that built the page.
AWAITED = r"object (\w+) can't be used in 'await' expression", r"'\1' object can't be awaited"
CELL = re.compile(r"(?ms)^```\{code-cell\}[^\n]*\n(.*?)^```$")
TITLE = re.compile(r"(?m)^### (.*)$|^\*\*(.+?)\.?\*\*")
# What these mistakes have to say comes from Daphne or Redis, and a tab has neither.
ELSEWHERE = ['"daphne"', "redis://", "socket_timeout"]


def describe_step(number):
    """Return what the panel needs, as JSON can hold it.

    `files` has the texts of each file before and after the step, None where there is none, in the
    order of the chapter; `mistakes` have a title, edits by path as pairs of texts, and what the
    server says.
    """
    chapter = load_chapters([number])[number]
    order = GIVEN if number == 1 else [hunk.path for hunk in chapter.hunks]
    files = {
        change.path: {"before": text_of(change.old), "after": text_of(change.new)}
        for change in sorted(chapter.changes, key=lambda change: index(order, change.path))
        if change.part == "code" and (number > 1 or change.path in GIVEN)
    }
    found = [m for page in pages(number) for m in find_mistakes(page, number)]
    mistakes = [m for n, m in enumerate(found) if m["edits"] not in [f["edits"] for f in found[:n]]]
    for path in [path for mistake in mistakes for path in mistake["edits"]]:
        if path not in files:
            text = read(STEPS[number] / path)
            files[path] = {"before": text, "after": text}
    return {
        "number": number,
        "name": STEPS[number].name,
        "servers": 2 if number in TWO_SERVERS else 1,
        "files": files,
        "mistakes": mistakes,
    }


def pages(number):
    return [chapter_file(number), DOCS / "pitfalls.md"]


def index(order, path):
    return order.index(path) if path in order else len(order)


def read(file):
    return file.read_text() if file.exists() else None


def text_of(lines):
    return "".join(lines) or None


def find_mistakes(page, number):
    """Return the mistakes that a page makes in that step, as far as they can be made in a tab."""
    text, found = page.read_text(), []
    for cell in CELL.finditer(text):
        code = re.sub(r"(?m)\A(:.*\n)*", "", cell[1])
        for call in ast.walk(ast.parse(code)):
            if isinstance(call, ast.Call) and getattr(call.func, "id", "") in ("mistake", "broken"):
                title = [a or b for a, b in TITLE.findall(text[: cell.start()])][-1]
                found += read_mistake(call, title, number)
    return found


def read_mistake(call, title, number):
    """Return a list with the mistake that a cell makes, or an empty one."""
    try:
        made_in, edits, says = [ast.literal_eval(node) for node in call.args[:3]]
    except ValueError:  # it needs what only the cell knows
        return []
    if made_in != number or not edits or not says or len(call.args) > 3 or call.keywords:
        return []
    edits = {path: edit if isinstance(edit, list) else [edit] for path, edit in edits.items()}
    if any(word in repr(edits) for word in ELSEWHERE):
        return []
    for path, each in edits.items():
        text = read(STEPS[number] / path) or ""
        if any(text.count(old) != 1 for old, _ in each if old):
            raise CourseError(f"{path} of step {number} doesn't have {each!r} once. Correct that.")
    title, says = title.replace("`", ""), re.sub(*AWAITED, says)
    return [{"title": re.sub(*AWAITED, title), "edits": edits, "says": says}]
