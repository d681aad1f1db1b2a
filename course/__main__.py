"""Start the command line of the course; a Python that is too old for it is told so."""

import sys

if sys.version_info < (3, 11):
    sys.stderr.write(
        "The course needs Python 3.11 or newer; this is %d.%d. "
        "Name a newer one, such as: make step 1 PYTHON=python3.12\n" % sys.version_info[:2]
    )
    sys.exit(2)

from course.cli import main

sys.exit(main(sys.argv[1:]))
