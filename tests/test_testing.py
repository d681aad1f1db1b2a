import pytest

from course import testing
from course.testing import count, run_tests, summary

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
    assert summary(count(report, 1)) == "1 passed, 2 failed, 1 skipped"


def test_missing_report_is_a_failure(tmp_path):
    assert summary(count(tmp_path / "none.xml", 2)) == "0 passed, 1 failed, 0 skipped"


def test_run_without_tests_is_a_failure(tmp_path):
    path = tmp_path / "empty.xml"
    path.write_text("<testsuites><testsuite/></testsuites>")
    assert summary(count(path, 5)) == "0 passed, 1 failed, 0 skipped"


def test_status_says_when_pytest_failed_otherwise(report, tmp_path):
    path = tmp_path / "fine.xml"
    path.write_text('<testsuites><testsuite><testcase name="a"/></testsuite></testsuites>')
    assert summary(count(path, 3)) == "1 passed, 1 failed, 0 skipped"


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
    monkeypatch.setattr(testing, "REPORTS", tmp_path / "reports")
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
