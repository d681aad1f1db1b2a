"""What each change of step 10 is worth: it is taken out of a copy, and both are measured.

Each file of bench/changes describes one change:

    what = "Pending messages share a transaction"
    gives_up = "nothing"

    [[replace]]
    file = "alert/posting.py"
    old = '''
    lines of step 10, found exactly once in the file
    '''
    new = '''
    what stands there without the change
    '''
"""

import shutil
import tempfile
import tomllib
from dataclasses import replace
from functools import partial
from pathlib import Path
from statistics import median

from bench.figures import Table, grouped, per_second, ratio
from bench.parts import fan_out
from bench.servers import TARGETS
from course.errors import CourseError
from course.steps import ROOT, STEPS

FOLDER = ROOT / "bench" / "changes"
READS = {"bench/changes"}  # besides the servers
STEP = 10
KINDS = ["Daphne", "uvicorn"]
ALL = {"what": "all of them: step 9", "gives_up": "–"}
TITLE = "What each change of step 10 is worth"
NOTE = (
    "Deliveries a second, without the change → with all changes of step 10, and their ratio. The "
    "change is taken out of a copy of the step, and the copies take turns."
)


def load_changes():
    """Return the changes by name; raise CourseError for a file that can't be read."""
    return {file.stem: load_change(file) for file in sorted(FOLDER.glob("*.toml"))}


def load_change(file):
    try:
        change = tomllib.loads(file.read_text())
        edits = [(edit["file"], edit["old"], edit["new"]) for edit in change["replace"]]
        return {"what": change["what"], "gives_up": change["gives_up"], "edits": edits}
    except (tomllib.TOMLDecodeError, KeyError, TypeError) as error:
        raise CourseError(
            f"bench/changes/{file.name} needs what, gives_up and [[replace]], with file, old and "
            f"new. {type(error).__name__}: {error}"
        ) from None


def copy_without(name, folder):
    """Copy step 10 into a folder, without the change of that name; return the copy.

    An empty name stands for no change: the copy is complete. Raises CourseError if the text of the
    change isn't in the step exactly once.
    """
    copy = folder / STEPS[STEP].name  # prefix and cookies are made of it
    aside = shutil.ignore_patterns("__pycache__", "db.sqlite3*", "tests")
    shutil.copytree(STEPS[STEP], copy, ignore=aside)
    for path, old, new in load_changes()[name]["edits"] if name else []:
        file = copy / path
        text = file.read_text() if file.is_file() else ""
        if (count := text.count(old)) != 1:
            raise CourseError(
                f"{copy.name}/{path} has the old text of bench/changes/{name}.toml {count} times, "
                f"not once: {old.strip()[:60]!r}. Change it there to what the step has."
            )
        file.write_text(text.replace(old, new))
    return copy


def jobs(full):
    for kind in KINDS if full else KINDS[:1]:
        for size in fan_out.SIZES:
            for name in ["", *load_changes()]:
                yield partial(measure, f"step {STEP} on {kind}", name, kind, *size)
            yield partial(measure, f"step {STEP - 1} on {kind}", "all", kind, *size)


def measure(server, left_out, kind, rooms, members):
    """Measure a fan-out without a change; return the run."""
    change = load_changes().get(left_out, ALL)
    target = TARGETS[server]
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        if target.step == STEP:
            target = replace(target, folder=copy_without(left_out, Path(folder)))
        found = fan_out.measure(server, rooms, members, target=target)
    return found | {
        "server": f"{server} without {left_out}" if left_out else server,
        "left_out": left_out,
        "what": change["what"],
        "gives_up": change["gives_up"],
        "case": f"{fan_out.title_of(rooms, members)}, {kind}",
    }


def tables(runs):
    groups = grouped(runs, "left_out", "case")
    cases = dict.fromkeys(case for _, case in groups)
    changes = {run["left_out"]: run for run in runs if run["left_out"]}
    rows = [
        [
            change["what"],
            change["gives_up"],
            *(gain(groups.get((name, case)), groups.get(("", case))) for case in cases),
        ]
        for name, change in changes.items()
    ]
    yield Table("Step 10 without", ["change", "gives up", *cases], rows)


def gain(without, complete):
    """Return the text of a cell: what runs make without a change, and what with it."""
    if not (without and complete):
        return "incomplete"
    one, other = (f"{median(map(per_second, runs)):,.0f}" for runs in [without, complete])
    return f"{one} → {other}, {ratio(complete, without, per_second)}x"
