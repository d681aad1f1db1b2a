"""The virtual environment of the course, and the environment variables of what runs in it."""

import fcntl
import importlib.util
import os
import re
import shutil
import subprocess
import sys

from course.errors import CourseError, say
from course.steps import ROOT

VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
LOCKS = ROOT / "requirements"
BUILD = ROOT / "build"
REPORTS = BUILD / "tests"  # of pytest
# Variables that would change what a command does. pip may be told where packages are: it checks
# their hashes.
IGNORED = re.compile(
    r"M(AKE)?FLAGS|MAKELEVEL|DATABASE_URL|DJANGO_SETTINGS_MODULE"
    r"|PYTEST_(?!CURRENT_TEST|VERSION)\w+|PYTHON(?!UNBUFFERED)\w+"
    r"|PIP_(?!(CLIENT_)?CERT|(EXTRA_)?INDEX_URL|FIND_LINKS|TRUSTED_HOST|PROXY|CONFIG_FILE|CACHE_DIR"
    r"|DEFAULT_TIMEOUT|RETRIES|DISABLE_PIP_VERSION_CHECK)\w+"
    r"|GIT_(?!PAGER|EDITOR|ASKPASS|TERMINAL_PROMPT|SSH|SSL|AUTHOR|COMMITTER)\w+"
)
# The first only makes a command slower, Docker's images of Python have the next two, and the others
# are make's own.
UNNAMED = {"PYTHONDONTWRITEBYTECODE", "PYTHON_VERSION", "PYTHON_SHA256"}
UNNAMED |= {"MAKEFLAGS", "MFLAGS", "MAKELEVEL"}
HAS_PACKAGES = (
    "import os, sys, sysconfig; sys.exit(not os.path.isdir(sysconfig.get_path('purelib')))"
)


def environ(**variables):
    """Return the environment for programs of the course, with these variables added."""
    kept = {name: value for name, value in os.environ.items() if not IGNORED.fullmatch(name)}
    for name in ["no_proxy", "NO_PROXY"]:
        kept[name] = ",".join(
            filter(None, [kept.get(name), "localhost", ".localhost", "127.0.0.1"])
        )
    return kept | {"PYTHONUNBUFFERED": "1", "AUTOBAHN_USE_NVX": "0"} | variables


def say_ignored():
    """Name the variables of the user that the course ignores."""
    names = sorted(name for name in os.environ.keys() - UNNAMED if IGNORED.fullmatch(name))
    if names:
        say(f"Ignored, from your environment: {', '.join(names)}")


def check_writable():
    """Raise CourseError if a file that the course writes can't be written by this user."""
    paths = [ROOT, VENV, BUILD, *VENV.glob("*"), *BUILD.glob("*")]
    paths += [*ROOT.glob("step[0-9]*_*/"), *ROOT.glob("step[0-9]*_*/db.sqlite3*")]
    for path in paths:
        if path.exists() and not path.is_symlink() and not os.access(path, os.W_OK):
            theirs = path.stat().st_uid != os.getuid()
            cure = 'sudo chown -R "$(id -un)" .' if theirs else "chmod -R u+w ."
            why = "It belongs to another user, perhaps since a `sudo make`. " if theirs else ""
            raise CourseError(f"{path} can't be written. {why}Type: {cure}")


def ensure(*locks):
    """Install what the locks of those names list, unless that has been done before.

    Raises CourseError when Python lacks its venv module or an installation fails.
    """
    with open(LOCKS / "course.lock") as one_at_a_time:
        fcntl.flock(one_at_a_time, fcntl.LOCK_EX)
        if not VENV.exists():
            say("Setting up .venv, once ...")
            create()
        elif not is_usable():
            say("The Python that .venv was made with has changed. Setting up .venv again ...")
            create()
        for lock in locks:
            wanted = LOCKS / f"{lock}.lock"
            installed = VENV / wanted.name  # a copy, put there when all of it was installed
            if not installed.exists() or installed.read_bytes() != wanted.read_bytes():
                install(wanted)
                shutil.copyfile(wanted, installed)


def is_usable():
    """Return whether the Python of .venv starts, and is the one that packages are installed for."""
    if os.path.exists(PYTHON) and os.path.samefile(sys.prefix, VENV):
        return True
    try:
        return not subprocess.run(
            [PYTHON, "-I", "-c", HAS_PACKAGES], stderr=subprocess.DEVNULL
        ).returncode
    except OSError:
        return False


def create():
    """Make an empty virtual environment; leave none behind if that is interrupted."""
    if not all(map(importlib.util.find_spec, ["venv", "ensurepip"])):
        version = "{}.{}".format(*sys.version_info)
        raise CourseError(
            f"This Python has no venv module. On Debian or Ubuntu type: "
            f"sudo apt install python{version}-venv"
        )
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
    if subprocess.run(command, cwd=ROOT, env=environ()).returncode:
        raise CourseError("The set-up failed, see above. Fix that, then type the same again.")
