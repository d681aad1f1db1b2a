"""The command line: `python3 -m course COMMAND NUMBERS NAME=VALUE`, which make runs."""
# Older Pythons have to understand this file, to say that they are too old.

import argparse
import difflib
import os
import re
import shutil
import subprocess
import sys
from importlib import import_module

SUPPORTED = range(11, 15)  # versions of Python 3 that all packages have wheels for
# Each command: its numbers, its function, its options, and what it does.
COMMANDS = {
    "help": ("", "", "", "this list"),
    "step": ("N", "course.learn.serve:serve",
             "host port servers redis_url django_allowed_hosts",
             "serve step N: sets up what is missing, prints address and logins (HOST=0.0.0.0)"),
    "start": ("N", "course.learn.playground:start", "from",
              "begin to write step N in playground/ (FROM=file.zip)"),
    "play": ("", "course.learn.playground:play", "host port servers redis_url django_allowed_hosts",
             "serve the playground"),
    "check": ("", "course.learn.check:check", "all quick json",
              "how far the playground is, and its tests (QUICK=1 without, ALL=1, JSON=1)"),
    "watch": ("", "course.learn.check:watch", "", "check whenever a file is saved"),
    "hint": ("", "course.learn.hint:hint", "", "help with the next change, more each time"),
    "solve": ("", "course.learn.solve:solve", "file",
              "write the finished step, or a file of it, into the playground (FILE=chat/urls.py)"),
    "restore": ("", "course.learn.playground:restore", "from",
                "list what is saved of the playground, or bring it back (FROM=...)"),
    "progress": ("", "course.learn.progress:show_progress", "json",
                 "what you have done, step by step (JSON=1)"),
    "manage": ("N", "course.learn.manage:manage", "cmd redis_url",
               "run manage.py of step N, or of play, beside it (CMD='broadcast 1 hello')"),
    "test": ("[N M]", "course.learn.test:run_tests", "", "run every test, or those of some steps"),
    "diff": ("N | A B", "course.learn.diff:show_diff", "file tests words html",
             "what changes from step N-1 to N, or A to B (FILE=chat TESTS=1 WORDS=1 HTML=1)"),
    "faults": ("N", "", "minutes",
               "kill servers and Redis under step N (6+), count what gets lost (MINUTES=5)"),
    "docs": ("", "course.learn.docs:build_docs", "",
             "the guide as HTML pages, with all that it shows run on the steps"),
    "docs-live": ("[N M]", "course.learn.docs:live", "",
                  "the same, or some chapters, served, and built again when one is saved"),
    "tab": ("", "course.learn.tab:build_tab", "",
            "what runs a step in the reader's browser tab, a part of the guide"),
    "notebooks": ("", "course.learn.docs:make_notebooks", "run",
                  "each chapter as a notebook (RUN=1 runs each once)"),
    "carry": ("N", "course.author.carry:carry", "since",
              "merge what changed in step N into every later step, and test (SINCE=HEAD~2)"),
    "carry-continue": ("", "course.author.carry:carry_continue", "", "go on after a conflict"),
    "carry-abort": ("", "course.author.carry:carry_abort", "",
                    "make the later steps what they were"),
    "export": ("", "course.author.export:export", "",
               "the course as the git branch `course`, one commit and tag a step"),
    "bench": ("", "", "only full targets rounds",
              "measure the steps beside other servers, four minutes (ONLY=speed FULL=1)"),
    "lint": ("", "course.author.lint:lint", "full",
             "check the code and the differences between the steps (FULL=1)"),
}  # fmt: skip
COUNTS = {"": (0, 0), "N": (1, 1), "N | A B": (1, 2), "[N M]": (0, 99)}  # the least, the most
EXAMPLES = {"diff": "2", "faults": "6"}
FLAGS = {"tests", "words", "html", "full", "run", "all", "quick", "json"}
RENAMED = {"from", "all", "json"}  # options whose parameter ends with an underscore
HIGHEST = {"port": 65535, "servers": 16}
DEFAULTS = {"port": 8000}
FROM_ENVIRONMENT = {"port", "redis_url", "django_allowed_hosts"}
PASSED_ON = r"DJANGO_\w+|FRAMES_\w+|SOCKETS_PER_USER|BYTES_PER_SOCKET|TEST_TIMEOUT|CHROME_BIN"


def main(words):
    """Run a command; return its exit status: 2 when the user has to type something else."""
    from course.errors import CourseError, say

    try:
        return run(*read(words))
    except CourseError as error:
        say(error)
        return 2
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # who reads our output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def read(words):
    """Return the command, the folders of its steps, and its options by name."""
    from course.errors import CourseError

    if words in ([], ["help"]):
        return "help", [], {}
    command, number = re.fullmatch(r"(.*?)(\d*)", words[0]).groups()
    if command not in COMMANDS:
        meant = difflib.get_close_matches(command, COMMANDS, 1) or (number and ["step", number])
        raise CourseError(f"There is no command {words[0]!r}. Type: {' '.join(['make', *meant])}")
    usage, _, names, _ = COMMANDS[command]
    arguments = [number] if number else []
    for word in words[1:]:
        arguments += as_arguments(word, names.split())
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("numbers", nargs="*")
    for name in names.split():
        parser.add_argument("--" + name.replace("_", "-"), nargs="?", const="1")
    found, unknown = parser.parse_known_args(arguments)
    options = vars(found)
    numbers = options.pop("numbers")
    example = "make " + command
    if usage:
        valid = [text for text in numbers if is_step(text)]
        example += " " + (valid or [EXAMPLES.get(command, "1")])[0]
    if unknown:
        name, _, value = unknown[0].lstrip("-").partition("=")
        name = name.upper().replace("-", "_")
        for meant in difflib.get_close_matches(name, names.upper().split(), 1):
            example += f" {meant}={value}"
        raise CourseError(f"make {command} has no {name}. Type: {example}")
    least, most = COUNTS[usage]
    if not least <= len(numbers) <= most:
        wanted = (usage or "no numbers") + (f", not {' '.join(numbers)}" if numbers else "")
        raise CourseError(f"make {command} takes {wanted}. Type: {example}")
    for name, text in options.items():
        if text is None and name in FROM_ENVIRONMENT:
            text = os.environ.get(name.upper())
        options[name] = convert(name, text, example)
    try:
        return command, [find_folder(text, command) for text in numbers], options
    except CourseError as error:
        raise CourseError(f"{error}. Type: {example}") from None


def find_folder(text, command):
    """Return the folder of the step of that number, or the playground for make manage play."""
    from course.steps import PLAYGROUND, find_step

    return PLAYGROUND if (command, text) == ("manage", "play") else find_step(text)


def convert(name, text, example):
    """Return the value of an option that was given as text or not at all."""
    from course.errors import CourseError

    if name in FLAGS:
        return (text or "0") != "0"
    if name not in HIGHEST:
        return text
    text = text or str(DEFAULTS.get(name, ""))
    if text and not (text.isascii() and text.isdigit() and 1 <= int(text) <= HIGHEST[name]):
        wrong = f"{name.upper()} is {text!r}, not a number from 1 to {HIGHEST[name]}"
        raise CourseError(f"{wrong}. Type: {example}")
    return int(text) if text else None


def is_step(text):
    from course.steps import STEPS

    return text.isascii() and text.isdigit() and int(text) in STEPS


def as_arguments(word, names):
    """Return the arguments that a word stands for: NAME=VALUE is --name=VALUE, N=3 is 3."""
    name, equals, value = word.partition("=")
    if not equals or word.startswith("-"):
        return [word]
    if name.upper() == "N":
        return value.split()
    if re.fullmatch(PASSED_ON, name) and name.lower() not in names:
        os.environ[name] = value
        return []
    return ["--{}={}".format(name.lower().replace("_", "-"), value)]


def run(command, steps, options):
    """Run the command in the environment of the course; return its exit status."""
    if command == "help":
        return show_help()
    from course import venv
    from course.steps import number_of

    if not (os.path.exists(venv.VENV) and os.path.samefile(sys.prefix, venv.VENV)):
        venv.say_ignored()
        venv.check_writable()
        venv.ensure("course")
        arguments = [venv.PYTHON, "-m", "course", *sys.argv[1:]]
        os.execve(venv.PYTHON, arguments, venv.environ())
    usage, function, *_ = COMMANDS[command]
    if function:
        module, _, name = function.partition(":")
        several = COUNTS[usage][1] > 1
        options = {key + "_" * (key in RENAMED): value for key, value in options.items()}
        return getattr(import_module(module), name)(*[steps] if several else steps, **options)
    if command == "bench":
        venv.ensure("course", "bench")
    words = [str(number_of(step.name)) for step in steps]
    words += [f"--{name}={value}" for name, value in options.items() if value]
    return os.execve(venv.PYTHON, [venv.PYTHON, "-m", command, *words], venv.environ())


def show_help():
    """Print a line for each command; return 0."""
    for command, (usage, _, _, what) in COMMANDS.items():
        words = "make" if command == "help" else f"make {command} {usage}"
        print(f"{words:<19}  {what}")
    return 0


def prefer_supported_python():
    """Go on in a Python that has wheels, if this one hasn't and another is installed."""
    if sys.version_info[:2] not in [(3, minor) for minor in SUPPORTED]:
        for minor in reversed(SUPPORTED):
            path = shutil.which("python3.%d" % minor)
            # A shim of pyenv may be there for a version that isn't in use.
            if path and not subprocess.call([path, "-c", ""], stderr=subprocess.DEVNULL):
                os.execv(path, [path, "-m", "course", *sys.argv[1:]])
    if sys.version_info < (3, 11):
        sys.stderr.write(
            "The course needs Python 3.11 or newer; this is %d.%d. Install one, "
            "or name it, such as: make step 1 PYTHON=python3.12\n" % sys.version_info[:2]
        )
        sys.exit(2)


if __name__ == "__main__":
    prefer_supported_python()
    sys.exit(main(sys.argv[1:]))
