import subprocess
import sys

import pytest
from conftest import ROOT, environ


def test_make_alone_lists_the_commands(make):
    result = make()
    assert result.returncode == 0
    for command in ["make step N", "make test", "make diff A B", "make carry N", "make lint"]:
        assert f"\n{command} " in result.stdout


@pytest.mark.parametrize(
    ("arguments", "cure"),
    [
        (["step"], "make step 1"),
        (["step", "0"], "make step 1"),
        (["step", "11"], "make step 1"),
        (["step", "three"], "make step 1"),
        (["step", "²"], "make step 1"),
        (["step", "4", "2"], "make step 4"),
        (["step", "N=11"], "make step 1"),
        (["step", "1", "PORT=x"], "make step 1 PORT=8000"),
        (["step", "1", "PORT=70000"], "make step 1 PORT=8000"),
        (["step", "1", "SERVERS=0"], "make step 1 SERVERS=1"),
        (["step", "1", "PORT=65535", "SERVERS=2"], "make step 1 PORT=8000 SERVERS=2"),
        (["step", "1", "HOST=192.0.2.1"], "make step 1 HOST=0.0.0.0"),
        (["manage", "1"], "make manage 1 CMD='check'"),
        (["manage", "1", "CMD=broadcast 1 'tea"], "make manage 1 CMD='check'"),
        (["manage", "CMD=check"], "make manage 1"),
        (["step", "5", "REDIS_URL=here"], "make step 5 REDIS_URL=redis://127.0.0.1:6379/0"),
        (["test", "11"], "make test 1"),
        (["diff"], "make diff 2"),
        (["diff", "11"], "make diff 1"),
        (["diff", "1", "2", "3"], "make diff 2"),
        (["carry"], "make carry 1"),
        (["carry", "2", "3"], "make carry 2"),
        (["carry-continue", "1"], "make carry-continue"),
        (["carry-abort", "1"], "make carry-abort"),
        (["export", "1"], "make export"),
        (["lint", "1"], "make lint"),
    ],
)
def test_wrong_arguments_get_one_line_that_says_what_to_type(make, arguments, cure):
    result = make(*arguments)
    said = [line for line in result.stderr.splitlines() if not line.startswith("make:")]
    assert result.returncode == 2
    assert len(said) == 1
    assert said[0].endswith(f"Type: {cure}")


def test_number_alone_is_an_error_of_make(make):
    result = make("3")
    assert result.returncode == 2
    assert "No rule to make target" in result.stderr


def test_unknown_command_without_make_gets_one_line(tmp_path):
    command = [sys.executable, "-m", "course", "fly"]
    result = subprocess.run(command, cwd=ROOT, env=environ(), capture_output=True, text=True)
    assert result.returncode == 2
    assert result.stderr == "There is no command 'fly'. Type: make\n"


def test_python_that_is_too_old_is_told_so():
    code = "import runpy, sys; sys.version_info = (3, 9, 1); runpy.run_module('course')"
    command = [sys.executable, "-c", code]
    result = subprocess.run(command, cwd=ROOT, env=environ(), capture_output=True, text=True)
    assert result.returncode == 2
    assert result.stderr.startswith("The course needs Python 3.11 or newer; this is 3.9.")
    assert result.stderr.count("\n") == 1


def test_variable_after_a_command_counts_without_make_too(tmp_path):
    command = [sys.executable, "-m", "course", "step", "1", "PORT=x"]
    result = subprocess.run(command, cwd=ROOT, env=environ(), capture_output=True, text=True)
    assert result.returncode == 2
    assert result.stderr.startswith("PORT is 'x'")
