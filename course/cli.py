"""The command line: which words stand for what."""

from course.environment import say
from course.errors import CourseError
from course.lint import lint
from course.serve import serve
from course.steps import STEPS, find_step
from course.testing import run_tests

COMMANDS = {
    "": "this list",
    "step N": "serve step N: sets up what is missing, prints address and logins",
    "test": "run every test",
    "test N M": "run the tests of those steps",
    "lint": "check the code: ruff, Django's system checks, the pinned versions",
}


def main(arguments):
    """Carry out a command; return its exit status: 2 when the user has to type something else."""
    try:
        return carry_out(*arguments)
    except CourseError as error:
        say(error)
        return 2
    except KeyboardInterrupt:
        return 130


def carry_out(command="help", *arguments):
    match command:
        case "help":
            return show_help()
        case "step":
            if len(arguments) != 1:
                one = arguments[0] if arguments else min(STEPS)
                raise CourseError(f"make step takes one number. Type: make step {one}")
            return serve(find_step(arguments[0], "step"), f"make step {arguments[0]}")
        case "test":
            return run_tests([find_step(text, "test") for text in arguments])
        case "lint":
            if arguments:
                raise CourseError("make lint takes no numbers. Type: make lint")
            return lint()
    raise CourseError(f"There is no command {command!r}. Type: make")


def show_help():
    width = max(map(len, COMMANDS))
    for command, what in COMMANDS.items():
        print(f"make {command.ljust(width)}  {what}")
    return 0
