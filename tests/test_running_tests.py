import signal
import subprocess
import sys

import psutil
import pytest
from conftest import ROOT, wait_until

from course.errors import CourseError
from course.learn import test as running
from course.learn.test import count, run_tests, summary

REPORT = """<testsuites><testsuite>
<testcase name="a"/>
<testcase name="b"><failure/></testcase>
<testcase name="c"><error/></testcase>
<testcase name="d"><skipped message="no browser"/></testcase>
</testsuite></testsuites>"""


@pytest.fixture
def report(tmp_path):
    path = tmp_path / "report.xml"
    path.write_text(REPORT)
    return path


def test_report_is_counted(report):
    assert summary(count(report, 1)[0]) == "1 passed, 2 failed, 1 skipped"


def test_missing_report_is_a_failure(tmp_path):
    assert summary(count(tmp_path / "none.xml", 2)[0]) == "0 passed, 1 failed, 0 skipped"


def test_run_without_tests_is_a_failure(tmp_path):
    path = tmp_path / "empty.xml"
    path.write_text("<testsuites><testsuite/></testsuites>")
    assert summary(count(path, 5)[0]) == "0 passed, 1 failed, 0 skipped"


def test_status_says_when_pytest_failed_otherwise(report, tmp_path):
    path = tmp_path / "fine.xml"
    path.write_text('<testsuites><testsuite><testcase name="a"/></testsuite></testsuites>')
    assert summary(count(path, 3)[0]) == "1 passed, 1 failed, 0 skipped"


@pytest.fixture
def step(tmp_path, monkeypatch):
    """A made-up step with a passing, a failing and a skipped test."""
    folder = tmp_path / "step07_made_up"
    folder.mkdir()
    (folder / "pytest.ini").write_text("[pytest]\naddopts = -p no:django -p no:asyncio\n")
    (folder / "test_it.py").write_text(
        "import pytest\n"
        "def test_pass(): pass\n"
        "def test_fail(): assert 1 == 2\n"
        "def test_skip(): pytest.skip('not today')\n"
    )
    monkeypatch.setattr(running, "REPORTS", tmp_path / "reports")
    return folder


def test_last_line_has_the_totals(step, capsys):
    assert run_tests([step]) == 1
    said = capsys.readouterr().out.splitlines()
    assert said[-1] == "1 passed, 1 failed, 1 skipped"
    assert "1 skipped: not today" in said
    assert any("assert 1 == 2" in line for line in said)


def test_status_is_0_when_nothing_fails(step):
    (step / "test_it.py").write_text("def test_pass(): pass\n")
    assert run_tests([step]) == 0


def test_browser_packages_that_can_not_be_installed_stop_no_other_test(step, monkeypatch, capsys):
    def fail(lock):
        raise CourseError("The set-up failed, see above.")

    monkeypatch.setattr(running, "find_browser", lambda: "/usr/bin/chromium")
    monkeypatch.setattr(running, "ensure", fail)
    (step / "test_it.py").write_text("def test_pass(): pass\n")
    assert run_tests([step]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[-2:] == [
        "What browser tests need can't be installed, see above. The other tests ran.",
        "1 passed, 0 failed, 0 skipped",
    ]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGQUIT, signal.SIGKILL])
def test_signal_ends_all_tests_and_starts_no_others(tmp_path, number):
    for name in ["one", "two", "three", "four"]:
        (tmp_path / name).mkdir()
        (tmp_path / name / "pytest.ini").write_text("[pytest]\n")
        (tmp_path / name / "test_it.py").write_text(
            "import pathlib, subprocess\n"
            "def test_it():\n"
            "    pathlib.Path('begun').touch()\n"
            "    subprocess.run(['sleep', '86399'])\n"
        )
    code = (
        "import sys; from pathlib import Path; from course.learn import test\n"
        "test.REPORTS = Path(sys.argv[1]) / 'reports'\n"
        "sys.exit(test.run_tests([Path(sys.argv[1]) / n for n in ['one', 'two', 'three', 'four']]))"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, tmp_path], cwd=ROOT, start_new_session=True
    )
    begun = lambda: len(list(tmp_path.glob("*/begun")))  # noqa: E731
    wait_until(lambda: begun() == 3)
    process.send_signal(number)
    assert process.wait(60) == (-9 if number == signal.SIGKILL else 130)
    wait_until(
        lambda: not any(str(tmp_path) in " ".join(p.info["cmdline"] or []) for p in running_now())
    )
    wait_until(lambda: not any(p.info["cmdline"] == ["sleep", "86399"] for p in running_now()))
    assert begun() == 3


def running_now():
    return psutil.process_iter(["cmdline"])
