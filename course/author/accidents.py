"""Differences that teach nothing: white space, formatting, comments, order.

The order of imports and the format of Python are ruff's, which every step has to follow.
"""

import ast
import re

COMMENTS = re.compile(r"/\*.*?\*/|<!--.*?-->|\{#.*?#\}|(?<![:\"'])//[^\n]*", re.DOTALL)
MARKUP = re.compile(r"<[^>]*>|\{%.*?%\}|\{\{.*?\}\}", re.DOTALL)
TELLING = 10  # characters: shorter lines stand in many places and don't count as moved


def find_accidents(change):
    """Yield each run of lines of a changed file that teaches nothing, as a Hunk, and the reason."""
    if change.kind == "renamed" and not change.hunks:
        yield None, f"it is {change.old_path} under another name"
    runs = (
        [run for hunk in change.hunks for run in hunk.runs()] if change.old and change.new else []
    )
    removed_lines = {line.strip() for run in runs for line in run.removed}
    added_lines = {line.strip() for run in runs for line in run.added}
    for run in runs:
        removed, added = (
            {line.strip() for line in side} - {""} for side in (run.removed, run.added)
        )
        telling = any(len(line) >= TELLING for line in removed | added)
        if not removed | added:  # blank lines next to others that differ
            continue
        if (removed or not added) and runs_the_same(change, run):
            yield run, "nothing that runs differs, only white space, formatting or comments"
        elif telling and removed <= added_lines and added <= removed_lines:
            yield run, "lines are moved, not changed"


def runs_the_same(change, hunk, words=True):
    """Return whether the file does the same with and without the hunk; without `words`, whether it
    differs in nothing but words for people."""
    texts = "".join(change.new), change.without(hunk)
    return len({meaning(change.path, text, words) for text in texts}) == 1


def meaning(path, text, words):
    """Return what is left of a text without what doesn't run."""
    if path.endswith(".py"):
        try:
            tree = ast.parse(text)
        except (SyntaxError, ValueError):
            return text
        for node in [] if words else ast.walk(tree):
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                node.body = node.body[ast.get_docstring(node, clean=False) is not None :]
        return ast.dump(tree)
    if path.endswith(".html") and not words:
        return "".join(MARKUP.findall(text))
    if path.endswith((".js", ".css", ".html")):
        text = COMMENTS.sub("", text)
    return re.sub(r",(?=[)\]}])", "", re.sub(r"\s+", "", text).replace("'", '"'))
