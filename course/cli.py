"""The command line: which words stand for what."""

import os
import sys

from course.environment import PYTHON, VENV, clean_environ, ensure, say
from course.errors import CourseError
from course.manage import manage
from course.serve import serve
from course.steps import STEPS, find_step
from course.testing import run_tests

COMMANDS = {
    "": "this list",
    "step N": "serve step N: sets up what is missing, prints address and logins (HOST=0.0.0.0)",
    "manage N": "run manage.py of step N, beside it (CMD='broadcast 1 hello')",
    "test": "run every test",
    "test N M": "run the tests of those steps",
    "diff N": "what changes from step N-1 to N (FILE=chat TESTS=1 HTML=1)",
    "diff A B": "what changes from step A to B",
    "faults N": "kill servers and Redis under step N (6+), count what gets lost (MINUTES=5)",
    "carry N": "merge what changed in step N into every later step, and test (SINCE=HEAD~2 DRY=1)",
    "carry-continue": "go on with it after a conflict",
    "carry-abort": "put everything back as it was before it",
    "export": "the course as the git branch `course`, one commit and tag a step (ZIP=1)",
    "bench": "measure the steps beside other servers, four minutes (ONLY=speed FULL=1)",
    "lint": "check the code and the differences between the steps (FULL=1)",
}


def main(arguments):
    """Carry out a command; return its exit status: 2 when the user has to type something else."""
    try:
        return carry_out(*filter(is_no_variable, arguments))
    except CourseError as error:
        say(error)
        return 2
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # who reads our output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def is_no_variable(word):
    """Tell a word from a NAME=value, which goes into the environment, as make does with it."""
    name, equals, value = word.partition("=")
    if equals:
        os.environ[name] = value
    return not equals


def carry_out(command="help", *arguments):
    match command:
        case "help":
            return show_help()
        case "step":
            return serve(one_step(command, arguments), f"make step {arguments[0]}")
        case "manage":
            return manage(one_step(command, arguments), f"make manage {arguments[0]}")
        case "test":
            return run_tests([find_step(text, "test") for text in arguments])
        case "diff":
            use_environment()
            from course.diff import show_diff

            return show_diff(*two_steps(arguments))
        case "faults":
            ensure("course")
            command = [PYTHON, "-m", "faults", *arguments]
            os.execve(PYTHON, command, clean_environ())
        case "carry":
            use_environment()
            from course.carry import carry

            return carry(one_step(command, arguments))
        case "carry-continue" | "carry-abort" | "export" | "bench" | "lint" if arguments:
            raise CourseError(f"make {command} takes no numbers. Type: make {command}")
        case "carry-continue":
            use_environment()
            from course.carry import carry_on

            return carry_on()
        case "carry-abort":
            from course.carry import abort

            return abort()
        case "export":
            from course.export import export

            return export()
        case "bench":
            ensure("course", "bench")
            os.execve(PYTHON, [PYTHON, "-m", "bench"], clean_environ())
        case "lint":
            use_environment()
            from course.lint import lint

            return lint()
    raise CourseError(f"There is no command {command!r}. Type: make")


def use_environment():
    """Go on in the environment of the course, which has what the command needs besides Python."""
    ensure("course")
    if not os.path.samefile(sys.prefix, VENV):
        os.execve(PYTHON, [PYTHON, "-m", "course", *sys.argv[1:]], clean_environ())


def one_step(command, arguments):
    """Return the folder of the one step that the arguments name."""
    if len(arguments) != 1:
        one = arguments[0] if arguments else min(STEPS)
        raise CourseError(f"make {command} takes one number. Type: make {command} {one}")
    return find_step(arguments[0], command)


def two_steps(arguments):
    """Return the folders of the two steps to compare; None stands for the one before the first."""
    if len(arguments) not in {1, 2}:
        raise CourseError("make diff takes one number or two. Type: make diff 2")
    steps = [find_step(text, "diff") for text in arguments]
    before = {number + 1: folder for number, folder in STEPS.items()}
    return steps if len(steps) == 2 else [before.get(int(arguments[0])), *steps]


def show_help():
    width = max(map(len, COMMANDS))
    for command, what in COMMANDS.items():
        print(f"make {command.ljust(width)}  {what}")
    return 0
