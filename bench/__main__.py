"""What make starts: the benchmark, or `stale`, which names results older than the code."""

import os
import sys

from bench.report import find_stale
from course.errors import CourseError, say


def main(arguments):
    """Run a command; return its exit status: 2 when the user has to type something else."""
    if arguments == ["stale"]:
        sentences = find_stale()
        say("\n".join(sentences or ["The figures are as new as the code."]))
        return 1 if sentences else 0
    for word in arguments:
        name, _, value = word.partition("=")
        os.environ[name.removeprefix("--").upper()] = value
    from bench.run import bench

    try:
        return bench("make bench")
    except CourseError as error:
        say(error)
        return 2
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
