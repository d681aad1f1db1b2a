"""Hunks that teach nothing: white space, formatting, comments, order, names.

The order of imports and the format of Python are ruff's, which every step has to follow.
"""

import ast
import re
from collections import Counter
from itertools import zip_longest

from course.hunks import decode, is_blank

COMMENTS = re.compile(r"/\*.*?\*/|<!--.*?-->|\{#.*?#\}|(?<![:\"'])//[^\n]*", re.DOTALL)
MARKUP = re.compile(r"<[^>]*>|\{%.*?%\}|\{\{.*?\}\}", re.DOTALL)
TOKENS = re.compile(r"\w+|\S")
TELLING = 10  # characters: shorter lines stand in many places and don't count as moved


def find_accidents(change):
    """Give each hunk of a changed file that teaches nothing, with the reason."""
    if change.kind == "renamed" and change.old == change.new:
        yield None, f"it is {change.old_path} under another name"
    for hunk in change.hunks if change.old and change.new else []:
        if reason := accident(change, hunk):
            yield hunk, reason


def accident(change, hunk):
    """Return what is accidental about a hunk, None if nothing is."""
    comes_alone = not "".join(hunk.removed).strip() and "".join(hunk.added).strip()
    if not comes_alone and runs_the_same(change, hunk):
        return "nothing that runs differs, only white space, formatting or comments"
    if is_moved(change, hunk):
        return "lines are moved, not changed"
    if pair := renaming(change, hunk):
        return "{} is only renamed to {}".format(*pair)
    return None


def is_moved(change, hunk):
    """Tell whether all that the hunk removes is added elsewhere in the file, and the reverse."""
    gone = Counter(line.strip() for each in change.hunks for line in each.removed)
    come = Counter(line.strip() for each in change.hunks for line in each.added)
    removed, added = ([n.strip() for n in lines if not is_blank(n)] for lines in sides(hunk))
    telling = any(len(line) >= TELLING for line in removed + added)
    return telling and all(come[line] for line in removed) and all(gone[line] for line in added)


def runs_the_same(change, hunk, words=True):
    """Tell whether the file does the same with and without the hunk; without `words`, whether it
    differs in nothing but words for people."""
    contents = decode(change.new), decode(change.without(hunk))
    meanings = [meaning(change.path, content, words) for content in contents]
    return meanings[0] == meanings[1]


def meaning(path, content, words):
    """Return what is left of a content without what doesn't run."""
    if path.endswith(".py"):
        return dump(content, words)
    if path.endswith(".html") and not words:
        return MARKUP.findall(content)
    if path.endswith((".js", ".css", ".html")):
        content = COMMENTS.sub("", content)
    return re.sub(r",(?=[)\]}])", "", re.sub(r"\s+", "", content).replace("'", '"'))


def dump(source, words):
    """Return the syntax tree of Python as text, without `words` without docstrings."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):
        return source
    for node in [] if words else ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            node.body = node.body[ast.get_docstring(node, clean=False) is not None :]
    return ast.dump(tree)


def sides(hunk):
    return hunk.removed, hunk.added


def renaming(change, hunk):
    """Return a name of the file's own and its successor, if no more than that differs."""
    pair = replaced_name(hunk)
    if not pair or not all(map(binds, [change.old, change.new], pair)):
        return None
    alike = [replaced_name(each) == pair for each in change.hunks if mentions(each, pair)]
    return pair if all(alike) else None


def replaced_name(hunk):
    """Return the name that is replaced and its successor, if nothing else happens in the hunk."""
    old, new = (TOKENS.findall("".join(lines)) for lines in sides(hunk))
    pairs = {pair for pair in zip_longest(old, new, fillvalue="") if pair[0] != pair[1]}
    names = [name for pair in pairs for name in pair]
    if len(pairs) == 1 and all(map(str.isidentifier, names)) and not names[0].startswith("test_"):
        return tuple(names)
    return None


def binds(content, name):
    """Tell whether a program gives something that name."""
    words = r"(def|class|as|import|for|function|const|let|var)\s+{0}\b"
    return re.search(f"{words}|\\b{{0}}\\s*=|[(,]\\s*{{0}}\\s*[,)=:]".format(name), decode(content))


def mentions(hunk, pair):
    """Tell whether a hunk takes the first name away or brings the second."""
    old, new = (TOKENS.findall("".join(lines)) for lines in sides(hunk))
    return pair[0] in old or pair[1] in new
