"""make check and make watch: how far the playground is, whether it works, and what comes next."""

import json
import os
import sys

from course.errors import name_some, say
from course.learn.examine import examine
from course.learn.playground import ASIDE, in_one_sentence, read_playground
from course.learn.progress import celebrate, note
from course.learn.status import DIFFERS, DONE, MISSING
from course.learn.trial import LOG, excerpt, explain, find_lines, find_server_error, run_tests
from course.steps import PLAYGROUND, STEPS
from course.venv import PYTHON


def check(all_=False, quick=False, json_=False):
    """Print how far the playground is, after running the step's tests; return 0 for a pass, else 1.

    The tests stop at the first failure, unless `all_`; with `quick` none run. With `json_` a JSON
    object is printed, and nothing else.
    """
    playground = read_playground()
    with in_one_sentence():
        report = examine(playground)
    if not json_:
        print(describe(report), flush=True)
    if not quick and not report.problems:
        report.tests = run_tests(playground, not all_, sys.stderr.isatty() and not json_)
    note(playground.number, hunks=report.counts, passed=report.passed)
    if json_:
        print(json.dumps(as_data(report), indent=1))
        return 0 if report.passed else 1
    if report.tests:
        print(describe_tests(report))
    print(conclude(report))
    if report.passed:
        celebrate(playground.number)
    return 0 if report.passed else 1


def watch():
    """Check the playground now and whenever a file in it is saved, until Ctrl-C; return 0."""
    import watchfiles

    from course.learn.processes import Processes

    read_playground()
    command = [PYTHON, "-m", "course", "check"]
    with Processes() as processes:
        saved = watchfiles.watch(
            PLAYGROUND,
            watch_filter=lambda change, path: is_code(os.path.relpath(path, PLAYGROUND)),
            rust_timeout=200,
            yield_on_timeout=True,
            raise_interrupt=False,
        )
        changed = True
        while not processes.stopped:
            if changed:
                processes.end(*processes.running)
                if sys.stdout.isatty():
                    print("\033[H\033[2J", end="", flush=True)
                processes.start("check", command, PLAYGROUND.parent)
            changed = next(saved)
            if processes.ended():
                processes.end("check")
                say("Waiting for a file to be saved. Press Ctrl-C to stop.")
    return 0


def is_code(path):
    return not ASIDE.fullmatch(path)


def describe(report):
    """Return what there is to say about the files, as lines."""
    lines = [f"{report.playground.title}: {report.playground.step.name}", ""]
    for path in dict.fromkeys(place.hunk.path for place in report.places):
        places = [place for place in report.places if place.hunk.path == path]
        done = sum(place.state == DONE for place in places)
        lines.append(f"{path:<44} {done} of {len(places)}")
        missing = [place for place in places if place.state == MISSING]
        differing = [f"{p.label} (line {p.line})" for p in places if p.state == DIFFERS]
        for word, labels in [
            ("missing", [place.label for place in missing if place.hunk.added]),
            ("to go", [place.label for place in missing if not place.hunk.added]),
            ("differs", differing),
        ]:
            if labels:
                lines.append(f"    {word}: {name_some(labels)}")
    if report.extra:
        lines.append(f"extra: {name_some(report.extra)} (left alone)")
    if report.own:
        lines.append(f"extra lines: {name_some(report.own)}")
    if report.removed:
        lines.append(
            f"removed, though both steps have them: the lines after {name_some(report.removed)}"
        )
    if report.upstream:
        lines.append(f"The course has changed since you began: {name_some(report.upstream)}.")
        lines.append(f"    To begin with that, type: make start {report.playground.number}")
    return "\n".join([*lines, ""])


def describe_tests(report):
    """Return what the tests have said, as lines."""
    tests = report.tests
    lines = []
    for failure in tests["failures"] if report.tests["all"] else tests["failures"][:1]:
        lines.append(f"failed: {failure['test'] or 'the tests could not run'}")
        lines += [f"    {line}" for line in excerpt(failure["says"])]
    if tests["failed"] and (trace := find_server_error(tests)):
        path, line, error = trace
        lines.append(f"the server says: {error}, at {path}:{line}")
    if tests["failed"] and (said := explain(tests)):
        lines += ["", said]
    return "\n".join([*lines, ""] if lines else [])


def conclude(report):
    """Return how far it is, and the one next thing to do."""
    number, tests = report.playground.number, report.tests
    done = "{} of {} hunks".format(*report.counts)
    if tests and not tests["total"]:
        done += ", the tests could not run"
    elif tests:
        done += f", {tests['passed']} of {tests['total']} tests"
        done += " before the first failure" if tests["failed"] and not tests["all"] else ""
        done += f", {tests['skipped']} skipped" if tests["skipped"] else ""
    if report.passed:
        differing = report.having(DIFFERS, MISSING)
        others = [p.hunk.path + f":{p.line}" * bool(p.line) for p in differing] + report.own
        lines = [f"{done}. Step {number} is passed."]
        if others := list(dict.fromkeys(others)):
            places = f"{len(others)} place{'s' * (len(others) > 1)}"
            lines.append(f"It works, and differs in {places}: {name_some(others)}.")
        return "\n".join([*lines, f"Next: {next_command_after(number)}"])
    return f"{done}.\nNext: {next_thing(report)}"


def next_command_after(number):
    return f"make start {number + 1}" if number + 1 in STEPS else "make progress"


def next_thing(report):
    """Return the one thing to do next, as a sentence."""
    if report.problems:
        return report.problems[0]
    failed = report.tests and report.tests["failed"]
    if failed and (line := find_failing_line(report)):
        return f"look at {line}, where it fails. For help, type: make hint"
    if place := find_next(report):
        return f"{where(report, place)}. For help, type: make hint"
    if failed and report.removed:
        return f"put back what you removed after {report.removed[0]}. For help, type: make hint"
    if failed and report.own:
        return f"look at {report.own[0]}: it is in neither step. For help, type: make hint"
    if failed and (lines := find_lines(report.tests["failures"][0]["says"])):
        return f"look at {lines[-1]}, where it fails. For help, type: make hint"
    if failed:
        test = report.tests["failures"][0]["test"]
        return f"read what failed above, in {test or LOG}. For help, type: make hint"
    return "make check"


def find_failing_line(report):
    """Return the line where a test failed, if the learner's code there differs from both steps."""
    found = [line for each in report.tests["failures"] for line in find_lines(each["says"])]
    if error := find_server_error(report.tests):
        found.insert(0, "{}:{}".format(*error))
    differing = [place for place in report.having(DIFFERS) if not place.harmless]
    for line in reversed(found):
        path, number = line.split(":")
        if line in report.own or any(place.spans(path, int(number)) for place in differing):
            return line
    return None


def find_next(report):
    """Return the Place to work at: the first that is missing or keeps old lines.

    When tests fail though there is none, that is one that differs.
    """
    if report.tests and not report.tests["failed"]:
        return next(iter(report.missing), None)
    todo = [place for place in report.places if place.state == MISSING or place.left]
    if report.tests and not todo and not report.own and not report.removed:
        todo = [place for place in report.having(DIFFERS) if not place.harmless]
        # What a browser test finds is most often in the page.
        page = "browser" in report.tests["failures"][0]["test"]
        todo.sort(key=lambda place: place.hunk.path.endswith(".py") == page)
    return next(iter(todo), None)


def where(report, place):
    """Return where something is to be done: the file, the line, and the section of the guide."""
    path, name = place.hunk.path, f" in {place.hunk.name}" if place.hunk.name else ""
    after = f"after line {place.line}" if place.line else "at the top"
    if place.kind == "removed":
        return f"delete the file {path}"
    if not (PLAYGROUND / path).exists():
        at = f"write {path}"
    elif place.left or not place.hunk.added:
        at = f"remove what goes{name} in {path}, line {place.line}"
    elif place.state == MISSING and place.old:
        at = f"change line {place.line} of {path}{name}"
    elif place.state == MISSING:
        at = f"write what is missing in {path}{name}, {after}"
    else:
        at = f"look at {path}{name}, line {place.line}"
    if place.block is None:
        return f"{at}; the guide doesn't show it: make solve FILE={path}"
    return f"{at} (docs/step{report.playground.number:02}.md, “{place.block.section}”)"


def as_data(report):
    """Return the report as what JSON can hold."""
    places = [
        {"hunk": p.hunk.address, "path": p.hunk.path, "state": p.state, "line": p.line}
        for p in report.places
    ]
    tests = {k: v for k, v in (report.tests or {}).items() if k != "logs"} or None
    return {
        "step": report.playground.number,
        "passed": report.passed,
        "hunks": places,
        "problems": report.problems,
        "extra": report.extra,
        "extra_lines": report.own,
        "removed_after": report.removed,
        "changed_in_the_course": report.upstream,
        "tests": tests,
        "next": next_thing(report) if not report.passed else next_command_after(
            report.playground.number
        ),
    }  # fmt: skip
