"""The step's own tests, run on a copy of the playground, and what the guide says to a failure."""

import json
import os
import re
import shutil
import signal
import tempfile
from contextlib import contextmanager
from pathlib import Path

from course.chapters import DOCS, load_chapters
from course.learn.examine import is_test
from course.learn.playground import in_one_sentence, list_files, list_playground, remove_old
from course.steps import PLAYGROUND
from course.venv import BUILD, REPORTS

PLUGIN = Path(__file__).with_name("new_first.py")
LOG = REPORTS / "playground.log"
REPORT = REPORTS / "playground.xml"
OUTCOME = REPORTS / "playground.json"  # what run_tests() has returned last
PITFALLS = DOCS / "pitfalls.md"
MIGRATIONS = "test_every_change_of_a_model_has_its_migration"
# Messages that the tests of finished steps leave in the logs of servers.
PROVOKED = {"No route found for path", "Error 111 connecting to"}
WIDTH = 200  # characters of a line of a failure
TEST_TIMEOUT = "10"  # seconds that a test waits for a frame, or for a server to start


def run_tests(playground, stop_at_first, show):
    """Run the step's own tests on a copy of the playground; return what came out, as a dict.

    New tests come first. Raises KeyboardInterrupt when a signal stops it.
    """
    from course.learn.processes import Processes  # not in a browser tab, which has no processes
    from course.learn.test import GRACE, PYTEST, prepare_browser, read_report, show_progress

    variables, _ = prepare_browser()
    REPORTS.mkdir(parents=True, exist_ok=True)
    REPORT.unlink(missing_ok=True)
    OUTCOME.unlink(missing_ok=True)
    with copy_with_tests(playground) as folder, Processes(signal.SIGINT, GRACE) as processes:
        options = ["-p", PLUGIN.stem, "-n", "2", "--dist", "loadfile", "--no-loadscope-reorder"]
        options += ["--basetemp", folder.parent / "tmp", "--junitxml", REPORT, "--tb=short"]
        variables["NEW_TESTS"] = " ".join(find_new_tests(playground))
        variables["TEST_TIMEOUT"] = os.environ.get("TEST_TIMEOUT", TEST_TIMEOUT)
        with LOG.open("wb") as log, show_progress(show) as progress:
            task = progress.add_task(f"the tests of step {playground.number}")
            command = [*PYTEST, *options, *["-x"] * stop_at_first]
            process = processes.start("tests", command, folder, stdout=log, **variables)

            def update():
                printed = re.findall(r"\[ *(\d+)%\]", LOG.read_text(errors="replace"))
                progress.update(task, completed=int(printed[-1]) if printed else 0)

            processes.wait_until(update)
        if processes.stopped:
            raise KeyboardInterrupt
        collected = folder / "collected"
        outcome = {"passed": 0, "failed": 0, "skipped": 0, "failures": [], "all": not stop_at_first}
        outcome["total"] = int(collected.read_text()) if collected.exists() else 0
        printed = LOG.read_text(errors="replace").replace(f"{folder}/", "")
        for name, result, text, _ in read_report(REPORT):
            outcome[result] += 1
            if result == "failed":
                says = (text or "").replace(f"{folder}/", "")
                outcome["failures"].append({"test": name, "says": says})
        if process.returncode and not outcome["failed"]:
            outcome["failed"] = 1
            outcome["failures"].append({"test": "", "says": printed})
        if outcome["failed"]:
            logs = [file.read_text(errors="replace") for file in folder.parent.glob("tmp/**/log")]
            outcome["logs"] = "\n".join([printed, *logs]).replace(f"{folder}/", "")
        OUTCOME.write_text(json.dumps(outcome))
        return outcome


@contextmanager
def copy_with_tests(playground):
    """Yield a copy of the playground, named as the step, in which the tests are the course's."""
    BUILD.mkdir(exist_ok=True)
    remove_old(BUILD.glob("check-*"))
    with tempfile.TemporaryDirectory(prefix="check-", dir=BUILD) as temporary:
        folder = Path(temporary, playground.step.name)
        with in_one_sentence():
            sources = [(PLAYGROUND, path) for path in list_playground() if not is_test(path)]
            sources += [(playground.step, p) for p in list_files(playground.step) if is_test(p)]
            for source, path in sources:
                (folder / path).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(source / path, folder / path)
            shutil.copy(PLUGIN, folder)
        yield folder


def find_new_tests(playground):
    """Yield the names of the tests that the step adds or changes."""
    for change in load_chapters([playground.number])[playground.number].changes:
        if change.part == "tests":
            for hunk in change.hunks:
                names = re.findall(r"(?m)^(?:async )?def (test_\w+)", "".join(hunk.added))
                yield from (f"{change.path}::{name}" for name in {*names, hunk.name} if name)


def excerpt(text):
    """Return the lines of a failure that say what is wrong, and where."""
    errors = [line[1:].strip()[:WIDTH] for line in text.splitlines() if re.match(r"E\s", line)]
    errors = errors or re.findall(r"(?m)^[\w.]+(?:Error|Exception|Configured|Found)\b.*", text)[-1:]
    return [*dict.fromkeys(errors[:3]), *[f"at {place}" for place in find_lines(text)[-1:]]]


def find_lines(text):
    """Return the lines of the learner's files that a traceback goes through, as path:line."""
    return re.findall(r"(?m)^((?!tests/|/)[\w/]+\.py:\d+): in", text)


def find_server_error(tests):
    """Return path, line and error of the last traceback through the learner's files in a log."""
    traces = re.findall(
        r"(?m)^Traceback \(most.*\n((?:  .*\n)+)([\w.]+(?:: .*)?)$", tests.get("logs", "")
    )
    for trace, error in reversed(traces):
        if places := re.findall(r'File "((?!tests/|/)[\w/]+\.py)", line (\d+)', trace):
            return *places[-1], error
    return None


def explain(tests):
    """Return what the guide says about the first message of it that a failure or a log has."""
    failures = "\n".join(failure["says"] for failure in tests["failures"])
    if any(MIGRATIONS in failure.get("test", "") for failure in tests["failures"]):
        return "A model has changed without a migration. Type: make manage play CMD=makemigrations"
    # A name in quotes may be another one, where enough is left that tells a message from others.
    for said in [failures, tests.get("logs", "")]:
        for variable, least in [("…", 17), (r"…|'\w+'", 30)]:
            for title, words in read_pitfalls().items():
                parts = [part.strip(" .") for part in re.split(variable, title)]
                provoked = said != failures and title in PROVOKED
                found = len("".join(parts)) >= least and all(part in said for part in parts)
                if found and not provoked:
                    return f"{title}\n    {words}\n    See docs/pitfalls.md."
    return ""


def read_pitfalls():
    """Return the first and the last paragraph on each message of the pitfalls, by message."""
    text = PITFALLS.read_text(encoding="utf-8") if PITFALLS.exists() else ""
    sections = re.findall(r"(?ms)^### `([^`]+)`[^\n]*\n(.*?)(?=^##|\Z)", text)
    return {title: summarize(body) for title, body in sections}


def summarize(body):
    body = re.sub(r"(?ms)^(```|:::).*?^\1\n", "", body)
    paragraphs = [" ".join(part.split()) for part in body.split("\n\n") if part.strip()]
    text = " ".join(dict.fromkeys([re.sub(":$", ".", paragraphs[0]), paragraphs[-1]]))
    text = re.sub(r" ?\(?\{doc\}`[^`]*`(?:, \{doc\}`[^`]*`)*\)", "", text)
    return re.sub(r"\{\w+\}`([^<`]*?) ?(?:<[^>]*>)?`|`|\*", r"\1", text)
