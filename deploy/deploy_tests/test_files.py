"""What has to be the same in two files."""

import re

from .machines import DEPLOY, words_of_the_unit


def test_compose_starts_daphne_as_systemd_does():
    words = words_of_the_unit()
    options = " ".join(words[words.index("--proxy-headers") :])
    assert f"daphne -b 0.0.0.0 -p 8000 {options}" in one_line(DEPLOY / "compose.yaml")


def test_image_gets_the_versions_that_are_tested():
    tested = (DEPLOY.parent / "requirements" / "course.lock").read_text()
    lock = (DEPLOY / "requirements.lock").read_text()
    pins = [line for line in lock.splitlines() if "==" in line]
    assert [pin for pin in pins if pin not in tested] == []


def test_lock_has_every_requirement():
    lock = (DEPLOY / "requirements.lock").read_text()
    files = [DEPLOY / "requirements.txt", DEPLOY.parent / "step06_persist_alerts/requirements.txt"]
    lines = "\n".join(file.read_text() for file in files).splitlines()
    wanted = [re.sub(r"\[.*?\]", "", line.split()[0]) for line in lines if "==" in line]
    assert [name for name in wanted if f"\n{name} " not in lock] == []


def one_line(file):
    return " ".join(file.read_text().split())
