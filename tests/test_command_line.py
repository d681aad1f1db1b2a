import re
import shutil
import subprocess
import sys

import pytest
from conftest import ROOT, environ

from course.__main__ import COMMANDS


def test_make_alone_lists_the_commands_that_it_can_complete(make):
    result = make()
    assert result.returncode == 0
    listed = re.findall(r"(?m)^make ([\w-]+)", result.stdout)
    assert listed == [command for command in COMMANDS if command != "help"]
    makefile = (ROOT / "Makefile").read_text()
    assert re.search(r"COMMANDS := (.*)", makefile)[1].split() == list(COMMANDS)


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
        (["step", "3", "PORT=x"], "make step 3"),
        (["step", "3", "PORT=70000"], "make step 3"),
        (["step", "3", "SERVERS=0"], "make step 3"),
        (["step", "3", "SERVER=2"], "make step 3 SERVERS=2"),
        (["step", "3", "SPEED=2"], "make step 3"),
        (["step", "1", "PORT=65535", "SERVERS=2"], r"make step 1 SERVERS=2 PORT=\d+"),
        (["step", "1", "HOST=192.0.2.1"], "make step 1 HOST=0.0.0.0"),
        (["manage", "1"], "make manage 1 CMD=check"),
        (["manage", "1", "CMD=broadcast 1 'tea"], "make manage 1 CMD=check"),
        (["manage", "CMD=check"], "make manage 1"),
        (["test", "11"], "make test 1"),
        (["test", "step"], "make test 1"),
        (["diff"], "make diff 2"),
        (["diff", "11"], "make diff 2"),
        (["diff", "1", "2", "3"], "make diff 1"),
        (["diff", "2", "TEST=1"], "make diff 2 TESTS=1"),
        (["diff", "2", "FILES=README.md"], "make diff 2 FILE=README.md"),
        (["faults"], "make faults 6"),
        (["faults", "7", "MINUTE=1"], "make faults 7 MINUTES=1"),
        (["carry"], "make carry 1"),
        (["carry", "2", "3"], "make carry 2"),
        (["carry-continue", "1"], "make carry-continue"),
        (["carry-abort", "1"], "make carry-abort"),
        (["export", "1"], "make export"),
        (["lint", "1"], "make lint"),
        (["steps"], "make step"),
        (["fly"], "make"),
        (["3"], "make step 3"),
    ],
)
def test_wrong_arguments_get_one_line_that_says_what_to_type(make, arguments, cure):
    result = make(*arguments)
    said = [line for line in result.stderr.splitlines() if not line.startswith("make:")]
    assert result.returncode == 2
    assert len(said) == 1
    assert re.search(f" Type: {cure}$", said[0]), said


@pytest.mark.parametrize("words", [["diff3"], ["diff", "step03"], ["diff", "N=3"], ["diff", "n=3"]])
def test_other_ways_to_name_a_step_are_understood(make, words):
    assert make(*words).stdout == make("diff", "3").stdout != ""


def test_folder_of_a_step_is_understood(make):
    assert make("diff", "step03_echo_consumer/").stdout == make("diff", "3").stdout


def test_commands_work_in_the_folder_of_a_step(make):
    result = make("diff", "3", "FILE=chat/frames.py", cwd=ROOT / "step03_echo_consumer")
    assert result.stdout == make("diff", "3", "FILE=chat/frames.py").stdout != ""


def test_options_have_dashes_without_make():
    command = [sys.executable, "-m", "course", "diff", "3"]
    outputs = [
        subprocess.run([*command, word], cwd=ROOT, env=environ(), capture_output=True).stdout
        for word in ["--file=chat", "FILE=chat"]
    ]
    assert outputs[0] == outputs[1] != b""


def test_file_that_is_named_like_a_step_is_none_and_a_copy_gets_one_line(made_up):
    made_up.write("step02_notes.txt", "notes\n")
    made_up.write("step04_mine/notes.txt", "notes\n")
    made_up.run("diff", "2")
    assert "only 1 to 3" in made_up.run("diff", "4", status=2)
    made_up.write("step02_count copy/manage.py", "")
    output = made_up.run("diff", "2", status=2)
    assert output.startswith("step02_count and step02_count copy have the same number.")
    assert "make step N" in made_up.run()
    assert output.count("\n") == 1


def test_variables_of_another_project_are_ignored_and_named(make):
    variables = {"DJANGO_SETTINGS_MODULE": "nowhere", "DATABASE_URL": "postgresql://x/y"}
    result = make("manage", "1", "CMD=check", **variables)
    assert result.returncode == 0
    assert result.stderr.startswith(
        f"Ignored, from your environment: {', '.join(sorted(variables))}"
    )


def test_variables_of_git_hooks_are_ignored(make):
    expected = make("diff", "3").stdout
    assert make("diff", "3", GIT_DIR="/nowhere", GIT_INDEX_FILE="/nowhere").stdout == expected


def test_packages_of_the_course_do_not_depend_on_bench_or_faults():
    for file in (ROOT / "course").rglob("*.py"):
        assert not re.search(r"(?m)^\s*(from|import) (bench|faults)\b", file.read_text()), file


def test_unknown_command_without_make_gets_one_line(tmp_path):
    command = [sys.executable, "-m", "course", "fly"]
    result = subprocess.run(command, cwd=ROOT, env=environ(), capture_output=True, text=True)
    assert result.returncode == 2
    assert result.stderr == "There is no command 'fly'. Type: make\n"


def start_as(version, path):
    """Run the course in a Python that says that it is that version; return the result."""
    code = f"import runpy, sys; sys.version_info = {version}; sys.argv[1:] = ['diff', '99'];"
    code += "runpy.run_module('course', run_name='__main__')"
    variables = environ(PATH=str(path))
    command = [sys.executable, "-c", code]
    return subprocess.run(command, cwd=ROOT, env=variables, capture_output=True, text=True)


@pytest.mark.parametrize("version", [(3, 9, 1), (3, 15, 0)])
def test_python_without_wheels_is_left_for_one_that_has_them(tmp_path, version):
    (tmp_path / "python3.12").symlink_to(shutil.which("echo"))
    (tmp_path / "python3.13").symlink_to(shutil.which("false"))  # like a shim of pyenv
    assert start_as(version, tmp_path).stdout.endswith("-m course diff 99\n")


def test_python_that_is_too_old_is_told_so(tmp_path):
    result = start_as((3, 9, 1), tmp_path)
    assert result.returncode == 2
    assert result.stderr.startswith("The course needs Python 3.11 or newer; this is 3.9.")
    assert result.stderr.count("\n") == 1


def test_python_that_is_newer_than_the_wheels_is_used_if_it_is_the_only_one(tmp_path):
    assert "There is no step '99'" in start_as((3, 15, 0), tmp_path).stderr
