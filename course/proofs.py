"""What only running the tests can tell: new ones fail on the step before, and every hunk is needed.

That takes long, so what was found is kept in course/proofs.json, with a key of the files that it
was found with. When they change, it counts no more.
"""

import hashlib
import io
import json
import signal
import subprocess
import tarfile
import tempfile
import xml.etree.ElementTree as ElementTree
from collections import Counter, defaultdict
from concurrent.futures import ThreadPoolExecutor, as_completed
from fnmatch import fnmatch
from pathlib import Path

from rich.progress import track

from course.accidents import runs_the_same
from course.browser import find_browser
from course.environment import PYTHON, clean_environ, ensure
from course.errors import CourseError
from course.git import run_git, store
from course.hunks import TEST_FILES
from course.lessons import judge
from course.processes import signal_group
from course.shape import tests_of

FILE = Path(__file__).with_name("proofs.json")
AT_ONCE = 3  # they wait for servers and browsers much of the time
PATIENCE = 60  # seconds that a test waits for what comes, however busy the machine is
IMPATIENCE = 10  # seconds that it waits for what most likely never comes
LIMIT = 900  # seconds for a run of all tests of a step
LAST = ["faults", "browser"]  # in the names of modules that are slow to notice anything
KINDS = {"*.css": "styling", "*.svg": "styling", "requirements*.txt": "installation"}


def load_proofs():
    return json.loads(FILE.read_text()) if FILE.exists() else {}


def key_of(trees):
    """Return a key of all files in those trees but the texts."""
    lines = [
        line for tree in trees for line in run_git("ls-tree", "-r", tree, **store()).split(b"\n")
    ]
    return hashlib.sha256(b"\n".join(n for n in lines if not n.endswith(b".md"))).hexdigest()[:16]


def check_proofs(step, lesson, changes, trees, proofs):
    """Return what is wrong with the tests of a step, by what is known of them, as sentences."""
    known = proofs.get(step.name, {})
    if known.get("key") != key_of(trees):
        old = f"{step.name} has changed since its tests were proved. Type: make lint FULL=1"
        return judge(step, lesson, "unproved", {step.name: old})
    green = {
        name: f"{step.name}/{name} passes on the step before, too: it proves nothing of this one. "
        "Let it fail there, or name it in `green_before` in course/lessons.toml, with the reason."
        for name in known["green_before"]
    }
    unneeded = {
        hunk.address: f"{step.name}/{change.path}:{hunk.new_start + 1}: no test fails without this "
        f"({hunk.address}). Write the test, take it out, or name it in `unneeded` in "
        "course/lessons.toml, with the reason."
        for change in changes
        for hunk in change.hunks
        if known["hunks"].get(hunk.address) == "no test"
    }
    kinds = {"unproved": {}, "green_before": green, "unneeded": unneeded}
    return [line for kind, found in kinds.items() for line in judge(step, lesson, kind, found)]


def prove(steps):
    """Find out what is not known yet, step by step, and keep it in course/proofs.json.

    `steps` has tuples of folder, folder before or None, changes and trees (before, after). Raises
    CourseError when a step's tests don't pass as they are.
    """
    if find_browser():
        ensure("browser")
    for step, before, changes, trees in steps:
        known, key = load_proofs().get(step.name, {}), key_of(trees)
        if known.get("key") == key:
            continue
        modules = order_of_modules(step, trees[1])
        part = known.get("unfinished", {})
        if part.get("key") != key:
            green = find_green(step, before, trees) if before else []
            part = {"key": key, "green_before": green, "hunks": {}}
        for address, test in find_needed(step, changes, trees[1], modules, known, part):
            part["hunks"][address] = test
            save(step, known | {"unfinished": part})
        save(step, part | {"hunks": dict(sorted(part["hunks"].items()))})


def save(step, found):
    """Keep what was found of a step."""
    proofs = dict(sorted((load_proofs() | {step.name: found}).items()))
    text = json.dumps(proofs, indent=1, ensure_ascii=False) + "\n"
    new = FILE.with_suffix(".new")
    new.write_text(text)
    new.replace(FILE)


def order_of_modules(step, tree):
    """Run all tests of a step; return its test modules, the quickest first."""
    with tempfile.TemporaryDirectory() as folder:
        extract(tree, folder)
        status, cases = run_pytest(folder, patience=PATIENCE)
    wrong = [f"{name} has {result}" for name, result, _ in cases if result != "passed"]
    if status or wrong:
        raise CourseError(f"Fix the tests of {step.name} first: {wrong[0] if wrong else status}.")
    seconds = Counter()
    for name, _, time in cases:
        seconds[name.split("::")[0]] += time
    return sorted(seconds, key=lambda name: (any(word in name for word in LAST), seconds[name]))


def find_green(step, before, trees):
    """Run a step's new tests on the code of the step before; return those that pass."""
    old, new = tests_of(before), tests_of(step)
    known = [name for name in new if new[name] == old.get(name)]
    modules = sorted({name.split("::")[0] for name in new.keys() - set(known)})
    with tempfile.TemporaryDirectory() as folder:
        extract(trees[0], folder, lambda path: not is_of_tests(path))
        extract(trees[1], folder, is_of_tests)
        deselect = [word for name in known for word in ("--deselect", name)]
        _, cases = run_pytest(folder, "--continue-on-collection-errors", *deselect, *modules)
    results = defaultdict(set)
    for name, result, _ in cases:
        results[name.split("[")[0]].add(result)
    return sorted(name for name in new.keys() - set(known) if results[name] == {"passed"})


def find_needed(step, changes, tree, modules, known, part):
    """Give, for each hunk of code, its address and the test that fails without it, or why none.

    What `part` has already is left out; `known` may say which test to try first.
    """
    work = [(c, h) for c in changes if c.part == "code" for h in c.hunks if h.added]
    work = [(change, hunk) for change, hunk in work if hunk.address not in part["hunks"]]
    tried = known.get("hunks", {})
    with ThreadPoolExecutor(AT_ONCE) as pool:
        runs = [pool.submit(find_test, *pair, tree, modules, tried) for pair in work]
        try:
            for run in track(as_completed(runs), step.name, len(work)):
                yield run.result()
        finally:
            pool.shutdown(cancel_futures=True)


def find_test(change, hunk, tree, modules, tried):
    """Return the address of a hunk and a test that fails without it, `no test`, or its kind."""
    for pattern, kind in KINDS.items():
        if fnmatch(change.path, pattern):
            return hunk.address, kind
    if runs_the_same(change, hunk, words=False):
        return hunk.address, "wording"
    with tempfile.TemporaryDirectory() as folder:
        extract(tree, folder)
        (Path(folder) / change.path).write_bytes(change.without(hunk))
        for tests in filter(None, [[tried.get(hunk.address)], modules]):
            if not (Path(folder) / f"{tests[0]}".split("::")[0]).is_file():
                continue
            status, cases = run_pytest(folder, "-x", *tests, patience=PATIENCE / 3)
            failed = [name for name, result, _ in cases if result == "failed"]
            if status:
                return hunk.address, failed[0] if failed else tests[0]
    return hunk.address, "no test"


def is_of_tests(path):
    return path.startswith("tests/") or path in TEST_FILES


def extract(tree, folder, wanted=lambda path: True):
    """Write the files of a git tree into a folder."""
    with tarfile.open(fileobj=io.BytesIO(run_git("archive", tree, **store()))) as archive:
        members = [member for member in archive.getmembers() if wanted(member.name)]
        archive.extractall(folder, members=members, filter="data")


def run_pytest(folder, *arguments, patience=IMPATIENCE):
    """Run pytest in a folder; return its exit status and name, result and seconds of each test."""
    with tempfile.TemporaryDirectory() as reports:
        report = Path(reports) / "report.xml"
        options = ["-q", "-p", "no:valkey", "-p", "no:cacheprovider", "--junitxml", report]
        process = subprocess.Popen(
            [PYTHON, "-m", "pytest", *options, *arguments],
            cwd=folder,
            env=clean_environ(TEST_TIMEOUT=str(patience), CHROME_BIN=find_browser() or ""),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            status = process.wait(LIMIT)
        except subprocess.TimeoutExpired:
            status = 1
        finally:
            signal_group(process, signal.SIGKILL)
            process.wait()
        return status, list(read_report(report)) if report.exists() else []


def read_report(report):
    """Give name, result and seconds of each test in a report of pytest."""
    for case in ElementTree.parse(report).iter("testcase"):
        outcome = {child.tag for child in case}
        result = "failed" if outcome & {"failure", "error"} else "passed"
        result = "been skipped" if "skipped" in outcome else result
        module, name = case.get("classname"), case.get("name")
        path = f"{(module or name).replace('.', '/')}.py"  # without a module: it can't be imported
        yield f"{path}::{name}" if module else path, result, float(case.get("time"))
