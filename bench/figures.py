"""What the figures of runs come to."""

import tempfile
from statistics import median
from typing import NamedTuple

from course.git import location, run_git, tree_of
from course.steps import ROOT

LIMITED = 0.85  # of a core: a generator that is as busy as this has limited the run
# Files of a step on which the figures of its server don't depend.
UNMEASURED = ("Makefile", "README.md", "static/", "templates/", "tests/")


class Table(NamedTuple):
    """A table of text."""

    title: str
    headings: list
    rows: list

    def has_figures(self, column):
        """Return whether a column has figures, which are aligned to the right."""
        cells = {row[column] for row in self.rows} - {"", "incomplete"}
        return column > 0 and all(cell[0].isdigit() for cell in cells)


def tree_id(path):
    """Return the id of what is measured in a folder of the course; None if it doesn't exist."""
    if not (ROOT / path).is_dir():
        return None
    tree = tree_of(ROOT / path)
    with tempfile.TemporaryDirectory() as folder:
        index = location() | {"GIT_INDEX_FILE": f"{folder}/index"}
        run_git("read-tree", tree, **index)
        unmeasured = run_git("ls-files", "-z", "--", *(f"{name}*" for name in UNMEASURED), **index)
        run_git("update-index", "-z", "--force-remove", "--stdin", stdin=unmeasured, **index)
        return run_git("write-tree", **index).decode().strip()


def is_complete(run):
    """Return whether all that was sent has arrived, once each and in order."""
    return run["delivered"] == run["expected"] > 0 and not run["problems"]


def name_incomplete(runs):
    """Return a sentence about the runs that are not complete; an empty one if all are."""
    bad = [run for run in runs if not is_complete(run)]
    names = dict.fromkeys(run["server"] for run in bad)
    counts = f"{len(bad)} of {len(runs)} runs were incomplete and don't count"
    return f"{counts}: {', '.join(names)}." if bad else ""


def grouped(runs, *names):
    """Return lists of the runs that are complete, by the values that they have of those names."""
    groups = {}
    for run in runs:
        group = groups.setdefault(tuple(run[name] for name in names), [])
        if is_complete(run):
            group.append(run)
    return groups


def per_second(run, what="delivered"):
    return run[what] / run["seconds"]


def microseconds(run, process="server", what="delivered"):
    """Return the CPU time of a process for each delivery."""
    return run["cpu"].get(process, 0) / run[what] * 1e6


def cells(runs, figure, form="{:,.0f}"):
    """Return the median of a figure of the runs, and the least and the most, as text."""
    if not runs:
        return ["", ""]
    figures = [figure(run) for run in runs]
    low, high = form.format(min(figures)), form.format(max(figures))
    return [form.format(median(figures)), f"{low}–{high}"]


def middle(runs, figure, form="{:,.1f}"):
    """Return the median of a figure of the runs, as text."""
    return cells(runs, figure, form)[0]


def ratio(runs, others, figure):
    """Return the median of a figure of the runs to that of the others, as text."""
    if not (runs and others):
        return ""
    return f"{median(map(figure, runs)) / median(map(figure, others)):.2f}"


def remarks(runs):
    """Return what the reader of the runs' figures has to know."""
    if not runs:
        return "incomplete"
    limited = any(run["generator_cpu"] > LIMITED for run in runs)
    return "limited by the generator" if limited else ""
