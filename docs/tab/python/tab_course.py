"""make check, make hint and make solve in a browser tab, with the code that a terminal runs.

The zip file of course.learn.tab_data is unpacked in the tab, in a folder on sys.path.
"""

import io
import json
import re
import zipfile
from contextlib import redirect_stdout

from tab_git import load_chapters  # first: it replaces what the others import

from course.errors import CourseError
from course.learn import playground
from course.learn.check import conclude, describe, describe_tests, find_next
from course.learn.examine import examine, is_test
from course.learn.hint import hint
from course.learn.progress import note
from course.learn.solve import put, solve
from course.learn.trial import OUTCOME, find_new_tests
from course.steps import PLAYGROUND, STEPS

# What a terminal is told to type, and what a reader of the page does instead.
BUTTONS = {
    r"What was there is in playground\.saved.*\n.*\n": "",
    r"To go on, type: make check\n": "",
    r"\nAll that the tests printed is in .*": "",
    r"type:? make (hint|check)": lambda found: f"press {found[1].title()}",
    r"(?:type: )?make solve FILE=(\S+)": r"press Solve this file in \1",
    r"Type: press Solve": "Press Solve",
    r"Type: make manage play CMD=makemigrations": "Write it, or let Solve this file write it.",
    r"Next: make start \d+": "Go on with the next chapter.",
    r"Next: make progress": "It was the last one.",
    r"Next: make check": "Next: run the tests.",
    r"The last make check": "The last check",
    r"\(docs/step\d\d\.md, (.*)\)": r"(\1)",
    r"See docs/pitfalls\.md\.": "See Pitfalls.",
}


class Course:
    """A step that a reader writes. It begins as the end of the step before, with the step's tests.

    `before` and `step` are the files of both steps, as the bytes of a zip. The methods take
    `texts`, {path: text} of all the reader's files except tests, and say what a terminal prints.
    """

    def __init__(self, number, before, step):
        self.number = number
        folders = STEPS[number - 1], STEPS[number]
        for content, folder in zip((before, step), folders, strict=True):
            with zipfile.ZipFile(io.BytesIO(content)) as archive:
                archive.extractall(folder)
        with redirect_stdout(io.StringIO()):
            playground.start(STEPS[number])
        for path in filter(is_test, {p for each in folders for p in playground.list_files(each)}):
            put(STEPS[number] / path, PLAYGROUND / path)

    def begin(self):
        """Return {"texts": the files to begin with, "changes": the paths that the chapter changes}.

        The paths are in the chapter's order; neither has tests.
        """
        chapter = load_chapters([self.number])[self.number]
        hunks = [*chapter.hunks, *(hunk for change in chapter.changes for hunk in change.hunks)]
        code = {change.path for change in chapter.changes if change.part == "code"}
        changes = [path for path in dict.fromkeys(hunk.path for hunk in hunks) if path in code]
        return {"texts": read_texts(), "changes": changes}

    def check(self, texts, run_tests=None):
        """Return {"text", "passed", "done", "total", "next"}: what to say, and what is done of all.

        `next` is {"path", "line"} of where something is missing, or None. `run_tests` gets the
        Playground, and returns what came out.
        """
        try:
            write_texts(texts)
            report = examine(playground.read_playground())
            OUTCOME.unlink(missing_ok=True)
            if run_tests and not report.problems:
                report.tests = run_tests(report.playground)
                OUTCOME.parent.mkdir(parents=True, exist_ok=True)
                OUTCOME.write_text(json.dumps(report.tests))  # make hint reads it
        except CourseError as error:
            nothing = {"passed": False, "done": 0, "total": 0, "next": None}
            return {"text": in_tab(str(error)), **nothing}
        done, total = report.counts
        note(self.number, hunks=report.counts, passed=report.passed)
        parts = [describe(report), describe_tests(report) if report.tests else ""]
        if needs := (report.tests or {}).get("needs"):
            what = ", ".join(sorted({each for several in needs.values() for each in several}))
            parts.append(f"Skipped in a tab: the tests that need {what}.\n")
        text = in_tab("\n".join(filter(None, [*parts, conclude(report)])))
        place = None if report.problems else find_next(report)
        following = {"path": place.hunk.path, "line": place.line} if place else None
        answer = {"text": text, "passed": report.passed, "done": done, "total": total}
        return answer | {"next": following}

    def test(self, texts, tell=print):
        """Return what check() does, after running the step's tests.

        `tell` is called with a line for each test.
        """
        import tab_tests  # needs pytest and the packages of the step

        def run_tests(playground):
            return tab_tests.run(PLAYGROUND, set(find_new_tests(playground)), tell)

        return self.check(texts, run_tests)

    def hint(self, texts):
        """Return the next hint, one level more each time for the same hunk."""
        return self.run(texts, hint)

    def solve(self, texts, path=None):
        """Return {"text", "texts"}: the finished texts of one file, or of all that differ.

        A text is None where the step removes the file.
        """
        text = self.run(texts, solve, path)
        now = read_texts()
        changed = [path for path in sorted({*texts, *now}) if now.get(path) != texts.get(path)]
        return {"text": text, "texts": {path: now.get(path) for path in changed}}

    def zip(self, texts):
        """Return the bytes of a zip file for `make start N FROM=...` on the reader's machine."""
        write_texts(texts)
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            for path in playground.list_playground():
                archive.write(PLAYGROUND / path, f"{STEPS[self.number].name}/{path}")
        return file.getvalue()

    def run(self, texts, function, *arguments):
        """Return what a command prints, or the sentence with which it fails."""
        printed = io.StringIO()
        try:
            write_texts(texts)
            with redirect_stdout(printed):
                function(*arguments)
        except CourseError as error:
            print(error, file=printed)
        return in_tab(printed.getvalue()).strip()


def read_texts():
    """Return the texts of the playground's files except tests, by path."""
    paths = [path for path in playground.list_playground() if not is_test(path)]
    return {path: playground.read(PLAYGROUND / path) for path in paths}


def write_texts(texts):
    """Make the playground's files those of the reader; the tests stay."""
    with playground.in_one_sentence():
        for path in read_texts().keys() - texts.keys():
            (PLAYGROUND / path).unlink()
        for path, text in texts.items():
            file = PLAYGROUND / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(text.encode(errors="surrogateescape"))


def in_tab(text):
    for typed, pressed in BUTTONS.items():
        text = re.sub(typed, pressed, text)
    return text
