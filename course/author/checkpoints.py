"""Whether a step runs at every checkpoint of its chapter, with what was shown by then."""

import os
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from course.author.proofs import extract, is_of_tests
from course.chapters import chapter_file, load_chapters, texts_with
from course.errors import say
from course.git import find_tree, snapshot
from course.learn.browser import find_browser
from course.learn.test import PYTEST
from course.steps import STEPS
from course.venv import PYTHON, environ

AT_ONCE = 2
LIMIT = 300  # seconds


def check_checkpoints():
    """Yield a sentence for each checkpoint at which the step doesn't start or a test fails."""
    now = snapshot()
    work = [
        (chapter, block, find_tree(now, STEPS[chapter.number - 1]), find_tree(now, step))
        for chapter, step in zip(load_chapters().values(), STEPS.values(), strict=True)
        for block in chapter.blocks
        if block.kind == "checkpoint" and chapter_file(chapter.number).exists()
    ]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for sentence in pool.map(lambda item: try_out(*item), work):
            if sentence:
                yield sentence


def try_out(chapter, block, before, after):
    """Try one checkpoint in a temporary folder; return what is wrong, or None."""
    with tempfile.TemporaryDirectory() as folder:
        shown = chapter.blocks[: chapter.blocks.index(block)]
        extract(before, folder, lambda path: not is_of_tests(path))
        extract(after, folder, is_of_tests)
        for path, text in texts_with(chapter, [h for b in shown for h in b.hunks]).items():
            file = Path(folder, path)
            if is_of_tests(path):
                continue
            if text is None:
                file.unlink(missing_ok=True)
            else:
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(text.encode(errors="surrogateescape"))
        commands = [[PYTHON, "manage.py", "check", "--fail-level", "WARNING"]]
        if block.arguments:
            commands.append([*PYTEST, "-p", "no:cacheprovider", "-x", *block.arguments])
        for command in commands:
            status, said = run(command, folder)
            if status:
                lines = [line for line in said.splitlines() if line.strip()]
                told = [line for line in lines if line.startswith("FAILED")] + lines[-1:]
                return (
                    f"{chapter.name}, line {block.line}: with what is shown by then, "
                    f"{' '.join(map(str, command[1:]))} fails: {told[0]}. "
                    "Change the order of the hunks, or the tests that are named."
                )
    return None


def run(command, folder):
    """Run a command in a folder; return its exit status and what it prints."""
    variables = {"CHROME_BIN": find_browser() or "", "TEST_TIMEOUT": "60"}
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            env=environ(**variables),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=LIMIT,
        )
    except subprocess.TimeoutExpired:
        return 1, f"it takes more than {LIMIT} seconds"
    return done.returncode, done.stdout


if __name__ == "__main__":
    complaints = list(check_checkpoints())
    for sentence in complaints:
        say(sentence)
    sys.exit(os.EX_OK if not complaints else 1)
