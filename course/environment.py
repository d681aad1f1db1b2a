"""The virtual environment of the course: what is missing in it is installed, once."""

import fcntl
import importlib.util
import os
import shutil
import subprocess
import sys

from course.errors import CourseError
from course.steps import ROOT

VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
LOCKS = ROOT / "requirements"


def ensure(*locks):
    """Install what the locks of those names list, unless that has been done before.

    Raises CourseError when Python lacks its venv module or an installation fails.
    """
    with open(LOCKS / "course.lock") as one_at_a_time:
        fcntl.flock(one_at_a_time, fcntl.LOCK_EX)
        if not PYTHON.exists():
            create()
        install_missing(locks)


def install_missing(locks):
    """Install those of the locks of which this version has not been installed yet."""
    for lock in locks:
        wanted = LOCKS / f"{lock}.lock"
        installed = VENV / wanted.name  # a copy, put there when all of it was installed
        if not installed.exists() or installed.read_bytes() != wanted.read_bytes():
            install(wanted)
            shutil.copyfile(wanted, installed)


def create():
    """Make an empty virtual environment; leave none behind if that is interrupted."""
    if not all(map(importlib.util.find_spec, ["venv", "ensurepip"])):
        version = "{}.{}".format(*sys.version_info)
        raise CourseError(
            f"This Python has no venv module. On Debian or Ubuntu type: "
            f"sudo apt install python{version}-venv"
        )
    say("Setting up .venv, once ...")
    try:
        run([sys.executable, "-m", "venv", "--clear", VENV])
    except BaseException:
        shutil.rmtree(VENV, ignore_errors=True)
        raise


def install(lock):
    """Install what that lock lists, after checking its hashes."""
    say(f"Installing what requirements/{lock.name} lists, once ...")
    quiet = ["--quiet", "--disable-pip-version-check", "--no-input"]
    run([PYTHON, "-m", "pip", "install", *quiet, "--require-hashes", "-r", lock])


def run(command):
    """Run a command of the set-up; raise CourseError if it fails."""
    if subprocess.run(command, cwd=ROOT, env=clean_environ()).returncode:
        raise CourseError("The set-up failed, see above. Fix that, then type the same again.")


def clean_environ(**variables):
    """Return the environment for Python of the course: what would lead it astray is taken out."""
    astray = {"PYTHONHOME", "PYTHONPATH", "PYTHONDONTWRITEBYTECODE", "DJANGO_SETTINGS_MODULE"}
    inherited = {name: value for name, value in os.environ.items() if name not in astray}
    return inherited | {"PYTHONUNBUFFERED": "1"} | variables


def say(text):
    print(text, file=sys.stderr, flush=True)
