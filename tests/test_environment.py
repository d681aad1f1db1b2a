import importlib.util
import subprocess
import sys

import pytest

from course import environment
from course.errors import CourseError


@pytest.fixture
def calls(tmp_path, monkeypatch):
    """The commands of a set-up in an empty folder; they are noted instead of run."""
    monkeypatch.setattr(environment, "VENV", tmp_path / ".venv")
    monkeypatch.setattr(environment, "PYTHON", tmp_path / ".venv" / "bin" / "python")
    monkeypatch.setattr(environment, "LOCKS", tmp_path)
    (tmp_path / "course.lock").write_text("django==5.2.19\n")
    noted = []

    def run(command):
        noted.append(list(map(str, command)))
        environment.PYTHON.parent.mkdir(parents=True, exist_ok=True)
        environment.PYTHON.touch()

    monkeypatch.setattr(environment, "run", run)
    return noted


def test_first_set_up_makes_the_environment_and_installs_with_hashes(calls):
    environment.ensure("course")
    assert [command[1:3] for command in calls] == [["-m", "venv"], ["-m", "pip"]]
    assert "--require-hashes" in calls[1]


def test_second_set_up_does_nothing(calls):
    environment.ensure("course")
    calls.clear()
    environment.ensure("course")
    assert calls == []


def test_changed_lock_is_installed(calls):
    environment.ensure("course")
    calls.clear()
    (environment.LOCKS / "course.lock").write_text("django==6.0\n")
    environment.ensure("course")
    assert [command[1:3] for command in calls] == [["-m", "pip"]]


def test_interrupted_installation_is_done_again(calls, monkeypatch):
    def interrupted(lock):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(environment, "install", interrupted)
        with pytest.raises(KeyboardInterrupt):
            environment.ensure("course")
    calls.clear()
    environment.ensure("course")
    assert [command[1:3] for command in calls] == [["-m", "pip"]]


def test_interrupted_creation_leaves_no_folder(calls, monkeypatch):
    def interrupted(command):
        environment.PYTHON.parent.mkdir(parents=True)
        environment.PYTHON.touch()
        raise KeyboardInterrupt

    monkeypatch.setattr(environment, "run", interrupted)
    with pytest.raises(KeyboardInterrupt):
        environment.ensure("course")
    assert not environment.VENV.exists()


def test_python_without_venv_is_named_with_the_cure(calls, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(CourseError, match=r"sudo apt install python3\.\d+-venv$"):
        environment.ensure("course")
    assert calls == []


def test_failed_command_is_an_error_that_says_what_to_do():
    with pytest.raises(CourseError, match="type the same again"):
        environment.run([sys.executable, "-c", "raise SystemExit(1)"])


def test_variables_that_lead_python_astray_are_left_out(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", "/elsewhere")
    assert "PYTHONPATH" not in environment.clean_environ()


def test_environment_has_what_the_lock_lists():
    command = [environment.PYTHON, "-m", "pip", "check", "--disable-pip-version-check"]
    assert subprocess.run(command, capture_output=True).returncode == 0
