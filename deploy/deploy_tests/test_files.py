"""What has to be the same in two files."""

import re

import pytest

from .machines import DEPLOY, STEP, UNIT, words_of_the_unit

LOCK = DEPLOY / "requirements.lock"
NAME_THE_STEP = [
    "Dockerfile",
    "Dockerfile.dockerignore",
    "README.md",
    "pytest.ini",
    "requirements.txt",
    "systemd/mychannels-prepare.service",
    "systemd/mychannels@.service",
    "../requirements/course.in",
]


@pytest.mark.parametrize("file", NAME_THE_STEP)
def test_file_names_the_last_step(file):
    assert set(re.findall(r"step\d\d_\w+", (DEPLOY / file).read_text())) == {STEP.name}


def test_compose_starts_daphne_as_systemd_does():
    words = words_of_the_unit()
    options = " ".join(words[words.index("--proxy-headers") :])
    compose = " ".join((DEPLOY / "compose.yaml").read_text().split())
    assert f"daphne -b 0.0.0.0 -p 8000 {options}" in compose


def test_compose_limits_files_as_systemd_does():
    limit = re.search(r"^LimitNOFILE=(\d+)$", UNIT.read_text(), re.MULTILINE)[1]
    assert f"ulimits: {{nofile: {limit}}}" in (DEPLOY / "compose.yaml").read_text()


def test_image_gets_the_versions_that_are_tested():
    tested = (DEPLOY.parent / "requirements" / "course.lock").read_text()
    pins = [line for line in LOCK.read_text().splitlines() if "==" in line]
    assert [pin for pin in pins if pin not in tested] == []


def test_lock_has_every_requirement():
    files = [DEPLOY / "requirements.txt", STEP / "requirements.txt"]
    lines = "\n".join(file.read_text() for file in files).splitlines()
    wanted = [re.sub(r"\[.*?\]", "", line.split()[0]) for line in lines if "==" in line]
    assert [name for name in wanted if f"\n{name} " not in LOCK.read_text()] == []
