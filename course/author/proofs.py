"""What only running the tests can tell: new ones fail on the step before, and every hunk is needed.

That takes long, so what was found is kept in proofs.json, with a key of the files that it was found
with. When they change, it no longer counts.
"""

import ast
import hashlib
import io
import json
import signal
import subprocess
import tarfile
import tempfile
from concurrent.futures import ThreadPoolExecutor
from fnmatch import fnmatch
from pathlib import Path

from rich.progress import track

from course.author.accidents import runs_the_same
from course.errors import CourseError
from course.git import NOTHING, location, run_git
from course.hunks import TEST_FILES
from course.learn.browser import find_browser
from course.learn.processes import signal_group
from course.learn.test import PYTEST, read_report
from course.venv import ensure, environ

FILE = Path(__file__).with_name("proofs.json")
AT_ONCE = 3  # they wait for servers and browsers much of the time
PATIENCE = 60  # seconds that a test waits for what comes, on a machine that is busy with others
IMPATIENCE = 20  # seconds that it waits for what most likely never comes
LIMIT = 900  # seconds for a run of all tests of a step
LAST = ["browser", "faults"]  # in the names of modules that are slow to notice anything
UNTESTED = ["*.css", "*.svg", "requirements*.txt", "Makefile"]


def key_of(trees):
    """Return a key of all files in those trees but texts and makefiles."""
    listings = [run_git("ls-tree", "-r", tree, **location()) for tree in trees]
    lines = [line for listing in listings for line in listing.split(b"\n")]
    tested = b"\n".join(line for line in lines if not line.endswith((b".md", b"Makefile")))
    return hashlib.sha256(tested).hexdigest()[:16]


def load_proofs():
    """Return what proofs.json has; raise CourseError if it can't be read."""
    try:
        return json.loads(FILE.read_text()) if FILE.exists() else {}
    except ValueError as error:
        raise CourseError(f"{FILE} can't be read: {error}. Type: git checkout {FILE}") from None


def known_of(step, changes, trees):
    """Return what is known to be wrong with the tests of a step, as names by check."""
    known = load_proofs().get(step.name, {})
    if known.get("key") != key_of(trees):
        return {"unproved": {step.name: ""}}
    kinds = {kind: dict.fromkeys(known[kind], "") for kind in ("green_before", "unneeded")}
    return {"unproved": {}, **kinds}


def prove(steps):
    """Find out what is not known yet, step by step, and keep it in proofs.json.

    `steps` has tuples of a folder, its changes and the trees before and after. Raises CourseError
    when a step's tests don't pass as they are.
    """
    if find_browser():
        ensure("browser")
    for step, changes, trees in steps:
        proofs, key = load_proofs(), key_of(trees)
        if proofs.get(step.name, {}).get("key") == key:
            continue
        status, cases = run_in_copy([trees[1]], patience=PATIENCE)
        if wrong := [f"{name} {result}" for name, result, *_ in cases if result != "passed"]:
            raise CourseError(f"Fix the tests of {step.name} first: {wrong[0]}.")
        if status:
            raise CourseError(f"Fix the tests of {step.name} first. Type: make test {step.name}")
        proofs[step.name] = {
            "key": key,
            "green_before": find_green(trees) if trees[0] != NOTHING else [],
            "unneeded": find_unneeded(step, changes, trees[1]),
        }
        FILE.write_text(json.dumps(proofs, indent=1, sort_keys=True) + "\n")


def find_green(trees):
    """Return the tests of the later tree, new or changed, that pass with the code of the other."""
    known, tests = map(tests_of, trees)
    new = {name for name in tests if tests[name] != known.get(name)}
    deselected = [word for name in tests.keys() - new for word in ("--deselect", name)]
    modules = sorted({name.split("::")[0] for name in new})
    _, cases = run_in_copy(trees, {}, *modules, *deselected) if new else (0, [])
    outcomes = {}
    for name, outcome, *_ in cases:
        outcomes.setdefault(name.split("[")[0], set()).add(outcome)
    return sorted(name for name in new if outcomes.get(name) == {"passed"})


def tests_of(tree):
    """Return what each test of a step does, by names such as tests/test_x.py::test_y."""
    with tempfile.TemporaryDirectory() as folder:
        extract(tree, folder)
        return {
            f"tests/{file.name}::{node.name}": ast.dump(node)
            for file in Path(folder, "tests").glob("test_*.py")
            for node in ast.parse(file.read_bytes()).body
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
            if node.name.startswith("test_")
        }


def find_unneeded(step, changes, tree):
    """Return the addresses of the hunks of code without which all tests of a step pass."""
    modules = {name.split("::")[0] for name in tests_of(tree)}
    modules = sorted(modules, key=lambda name: ([word in name for word in LAST], name))
    work = [
        (hunk.address, {change.path: change.without(hunk)})
        for change in changes
        if change.part == "code" and not any(fnmatch(change.path, name) for name in UNTESTED)
        for hunk in change.hunks
        if hunk.added and not runs_the_same(change, hunk, words=False)
    ]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        runs = pool.map(lambda item: run_in_copy([tree], item[1], "-x", *modules)[0], work)
        results = zip(work, track(runs, step.name, len(work)), strict=True)
        return sorted(address for (address, _), status in results if not status)


def run_in_copy(trees, texts=(), *arguments, patience=IMPATIENCE):
    """Run pytest on the code of the first tree, with the tests of the last and these texts by path.

    Return its exit status, and what read_report says of each test.
    """
    with tempfile.TemporaryDirectory() as folder:
        extract(trees[0], folder, lambda path: trees[0] == trees[-1] or not is_of_tests(path))
        extract(trees[-1], folder, is_of_tests)
        for path, text in dict(texts).items():
            Path(folder, path).write_bytes(text.encode(errors="surrogateescape"))
        report = Path(folder, "report.xml")
        process = subprocess.Popen(
            [*PYTEST, "-p", "no:cacheprovider", "--junitxml", report, *arguments],
            cwd=folder,
            env=environ(TEST_TIMEOUT=str(patience), CHROME_BIN=find_browser() or ""),
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
        return status, list(read_report(report))


def is_of_tests(path):
    return path.startswith("tests/") or path in TEST_FILES


def extract(tree, folder, wanted=lambda path: True):
    """Write the files of a git tree into a folder."""
    with tarfile.open(fileobj=io.BytesIO(run_git("archive", tree, **location()))) as archive:
        members = [member for member in archive.getmembers() if wanted(member.name)]
        archive.extractall(folder, members=members, filter="data")
