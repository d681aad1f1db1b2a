import importlib.util
import subprocess
import sys

import pytest

from course import venv
from course.errors import CourseError


@pytest.fixture
def calls(tmp_path, monkeypatch):
    """The commands of a set-up in an empty folder; they are noted instead of run."""
    monkeypatch.setattr(venv, "VENV", tmp_path / ".venv")
    monkeypatch.setattr(venv, "PYTHON", tmp_path / ".venv" / "bin" / "python")
    monkeypatch.setattr(venv, "LOCKS", tmp_path)
    (tmp_path / "course.lock").write_text("django==5.2.19\n")
    noted = []

    def run(command):
        noted.append(list(map(str, command)))
        venv.PYTHON.parent.mkdir(parents=True, exist_ok=True)
        venv.PYTHON.write_text("#!/bin/sh\n")
        venv.PYTHON.chmod(0o755)

    monkeypatch.setattr(venv, "run", run)
    return noted


def test_first_set_up_makes_the_environment_and_installs_with_hashes(calls):
    venv.ensure("course")
    assert [command[1:3] for command in calls] == [["-m", "venv"], ["-m", "pip"]]
    assert "--require-hashes" in calls[1]


def test_second_set_up_does_nothing(calls):
    venv.ensure("course")
    calls.clear()
    venv.ensure("course")
    assert calls == []


def test_changed_lock_is_installed(calls):
    venv.ensure("course")
    calls.clear()
    (venv.LOCKS / "course.lock").write_text("django==6.0\n")
    venv.ensure("course")
    assert [command[1:3] for command in calls] == [["-m", "pip"]]


def test_interrupted_installation_is_done_again(calls, monkeypatch):
    def interrupted(lock):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(venv, "install", interrupted)
        with pytest.raises(KeyboardInterrupt):
            venv.ensure("course")
    calls.clear()
    venv.ensure("course")
    assert [command[1:3] for command in calls] == [["-m", "pip"]]


def test_interrupted_creation_leaves_no_folder(calls, monkeypatch):
    def interrupted(command):
        venv.PYTHON.parent.mkdir(parents=True)
        venv.PYTHON.touch()
        raise KeyboardInterrupt

    monkeypatch.setattr(venv, "run", interrupted)
    with pytest.raises(KeyboardInterrupt):
        venv.ensure("course")
    assert not venv.VENV.exists()


def test_python_without_venv_is_named_with_the_cure(calls, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(CourseError, match=r"sudo apt install python3\.\d+-venv$"):
        venv.ensure("course")
    assert calls == []


def test_failed_command_is_an_error_that_says_what_to_do():
    with pytest.raises(CourseError, match="type the same again"):
        venv.run([sys.executable, "-c", "raise SystemExit(1)"])


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("PYTHONPATH", False),
        ("DATABASE_URL", False),
        ("DJANGO_SETTINGS_MODULE", False),
        ("PIP_TARGET", False),
        ("PYTEST_ADDOPTS", False),
        ("GIT_DIR", False),
        ("PIP_INDEX_URL", True),
        ("GIT_PAGER", True),
        ("DJANGO_DEBUG", True),
        ("REDIS_URL", True),
    ],
)
def test_variables_that_would_change_a_command_are_left_out_and_named(
    monkeypatch, capsys, name, kept
):
    monkeypatch.setenv(name, "x")
    assert (name in venv.environ()) == kept
    venv.say_ignored()
    assert (name in capsys.readouterr().err) == (not kept)


def test_make_below_make_gets_none_of_its_options(monkeypatch, capsys):
    monkeypatch.setenv("MAKEFLAGS", " -- ONLY=course")
    assert "MAKEFLAGS" not in venv.environ()
    venv.say_ignored()
    assert capsys.readouterr().err == ""


def test_no_proxy_is_used_for_this_machine(monkeypatch):
    monkeypatch.setenv("no_proxy", "example.org")
    assert venv.environ()["no_proxy"] == "example.org,localhost,.localhost,127.0.0.1"


def test_autobahn_needs_no_compiler():
    assert venv.environ()["AUTOBAHN_USE_NVX"] == "0"


@pytest.mark.parametrize(
    "python", ["#!/bin/sh\nexit 1\n", None], ids=["other packages", "no such file"]
)
def test_environment_of_a_python_that_changed_is_made_again(calls, capsys, python):
    venv.ensure("course")
    calls.clear()
    venv.PYTHON.unlink()
    if python:
        venv.PYTHON.write_text(python)
        venv.PYTHON.chmod(0o755)
    venv.ensure("course")
    assert calls[0][1:3] == ["-m", "venv"]
    assert "The Python that .venv was made with has changed." in capsys.readouterr().err


def test_file_that_can_not_be_written_gets_one_line_with_the_cure(monkeypatch):
    monkeypatch.setattr(venv.os, "access", lambda path, mode: path != venv.ROOT / ".venv")
    with pytest.raises(CourseError, match=r"\.venv can't be written\. .*Type: chmod -R u\+w \."):
        venv.check_writable()


def test_environment_has_what_the_lock_lists():
    command = [venv.PYTHON, "-m", "pip", "check", "--disable-pip-version-check"]
    assert subprocess.run(command, capture_output=True).returncode == 0
