"""make docs, make docs-live and make notebooks: the guide, built from what the steps really do."""

import os
import signal
import sys

from course.chapters import DOCS
from course.errors import CourseError, say
from course.learn.browser import find_browser
from course.learn.ports import any_free_port
from course.learn.processes import Processes
from course.learn.tab import build_for_docs, put_into
from course.steps import ROOT, STEPS, number_of
from course.venv import BUILD, PYTHON, ensure

SITE = BUILD / "docs" / "html"
NOTEBOOKS = BUILD / "docs" / "notebooks"
IPYTHON = BUILD / "docs" / "ipython"  # not the user's own
GRACE = 10  # seconds that Sphinx has to end its kernels after Ctrl-C
AT_ONCE = 4  # chapters; each runs servers of its own


def build_docs():
    """Build the guide, running all its cells; return 0 if there was neither error nor warning."""
    prepare()
    build_for_docs()
    command = ["-m", "sphinx", "-W", "--keep-going", "--fresh-env", "-q", "-j", str(AT_ONCE)]
    status = start(*command, "-d", BUILD / "docs" / "trees", DOCS, SITE)
    if status:
        say("The guide was not built: see above for the file and line of each problem.")
        return 1
    put_into(SITE)
    print(SITE / "index.html")
    return 0


def live(steps):
    """Build the guide, serve it on a free port, and build what changes again, until Ctrl-C.

    With `steps` only the cells of their chapters are run.
    """
    prepare()
    only = " ".join(f"step{number_of(step.name):02}" for step in steps)
    watched = [word for step in STEPS.values() for word in ("--watch", step)]
    where = ["--host", "127.0.0.1", "--port", str(any_free_port())]
    ignored = ["--ignore", "*/__pycache__/*", "--ignore", "*/db.sqlite3*"]
    folder = BUILD / "docs" / "-".join(["live", *only.split()])
    build_for_docs()
    put_into(folder / "html")
    options = ["-q", "-j", str(AT_ONCE), *where, *watched, *ignored, "-d", folder / "trees"]
    return start("-m", "sphinx_autobuild", *options, DOCS, folder / "html", CHAPTERS=only)


def make_notebooks(run):
    """Write each chapter as a notebook, with the hunks as diffs, and perhaps run each once.

    Return the exit status: 1 when a cell fails.
    """
    prepare()
    return start("docs/_ext/notebooks.py", NOTEBOOKS, *["--run"] * run)


def prepare():
    """Install what the guide needs; say once what it has to do without."""
    ensure("course", "docs")
    profile = IPYTHON / "profile_default"
    profile.mkdir(parents=True, exist_ok=True)
    (profile / "ipython_kernel_config.py").write_text("c.IPKernelApp.log_level = 40\n")
    if not find_browser():
        say("No Chromium was found: the guide gets no pictures, and recorded browser messages.")
        return
    try:
        ensure("browser")
    except CourseError:
        say("What drives the browser can't be installed: the guide gets no pictures.")


def start(*arguments, **variables):
    """Run Python with those arguments and environment variables; return the exit status."""
    variables |= {
        "PYTHONPATH": os.pathsep.join(map(str, [ROOT, DOCS])),
        "GUIDE_PREPARED": str(BUILD / "docs" / "prepared"),  # copies of the steps
        "IPYTHONDIR": str(IPYTHON),
        "JUPYTER_CONFIG_DIR": str(BUILD / "docs" / "jupyter"),
        "JUPYTER_PREFER_ENV_PATH": "1",
        "PYDEVD_DISABLE_FILE_VALIDATION": "1",
    }
    if browser := find_browser():
        variables["CHROME_BIN"] = browser
    with Processes(signal.SIGINT, GRACE) as processes:
        command = [PYTHON, *arguments]
        process = processes.start("docs", command, ROOT, stdout=sys.stdout, **variables)
        processes.wait_until(lambda: False)
        return 130 if processes.stopped else process.returncode
