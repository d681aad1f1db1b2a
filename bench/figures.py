"""What the figures of runs come to."""

from statistics import median
from typing import NamedTuple

from course.git import tree_of
from course.steps import ROOT, STEPS

LIMITED = 0.85  # of a core: a generator that is so busy has limited the run


class Table(NamedTuple):
    """A table of text: the cells of its first column are names, the rest are figures."""

    title: str
    headings: list
    rows: list


def key():
    """Return the ids of the trees that are measured."""
    return {folder.name: tree_of(folder) for folder in [*STEPS.values(), ROOT / "bench" / "peers"]}


def is_complete(run):
    """Tell whether all that was sent has arrived, once each and in order."""
    return run["delivered"] == run["expected"] > 0 and not run["problems"]


def name_incomplete(runs):
    """Return a sentence about the runs that are not complete; an empty one if all are."""
    bad = [run for run in runs if not is_complete(run)]
    names = dict.fromkeys(str(run.get("server") or run.get("name") or run["what"]) for run in bad)
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


def microseconds(run, process="server"):
    """Return the CPU time of a process for each delivery."""
    return run["cpu"].get(process, 0) / run["delivered"] * 1e6


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


def remarks(runs):
    """Say of runs what the reader of their figures has to know."""
    if not runs:
        return "incomplete"
    limited = any(run["generator_cpu"] > LIMITED for run in runs)
    return "limited by the generator" if limited else ""
