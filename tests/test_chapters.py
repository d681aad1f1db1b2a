import re
from functools import cache

import pytest
from conftest import ROOT

from course import chapters
from course.chapters import Block, chapter_file, load_chapters, match, texts_with
from course.errors import CourseError
from course.hunks import Change, Hunk, Line
from course.steps import STEPS

SECTIONS = [
    "Run it",
    "Break it",
    "The tests",
    "What is still wrong",
    "Exercises",
    "Three questions",
]


loaded = cache(load_chapters)


def chapter(number):
    return loaded()[number]


@pytest.mark.parametrize("number", STEPS)
def test_chapter_shows_every_hunk_and_its_hunks_make_the_step(number):
    made = chapter(number)
    if made.complaints:
        pytest.fail("\n".join(made.complaints), pytrace=False)
    texts = texts_with(made, made.hunks)
    different = [path for path in texts if texts[path] != text_of(STEPS[number] / path)]
    assert different == []


def text_of(file):
    return file.read_text(encoding="utf-8") if file.exists() else None


@pytest.mark.parametrize("number", STEPS)
def test_chapter_has_its_sections(number):
    text = chapter_file(number).read_text()
    titles = re.findall("(?m)^## (.*)", text)
    assert [title for title in SECTIONS if title in titles or number == 1] == SECTIONS
    assert "{admonition} If it doesn't work" in text
    assert text.count("{dropdown}") >= 5


@pytest.mark.parametrize("number", STEPS)
def test_readme_of_the_step_links_to_its_chapter(number):
    assert f"../docs/step{number:02}.md" in (STEPS[number] / "README.md").read_text()


@pytest.fixture
def written(tmp_path, monkeypatch):
    """A function that writes a chapter about one file, of two hunks; return its complaints."""
    lines = [Line("+", "a = 1\n", 0, 0), Line(" ", "\n", 0, 1), Line("+", "b = 2\n", 1, 2)]
    hunks = [Hunk("code.py", lines[:1]), Hunk("code.py", lines[2:], "name")]
    change = Change("changed", "code.py", "code.py", ["\n"], ["a = 1\n", "\n", "b = 2\n"], hunks)

    def write(*arguments, waivers=(), hint="look"):
        blocks = [
            Block("stepdiff", words.split(), hint, "", n) for n, words in enumerate(arguments)
        ]
        monkeypatch.setattr(chapters, "read_blocks", lambda number: blocks)
        monkeypatch.setattr(chapters, "chapter_file", lambda number: ROOT / "README.md")
        return match(2, [change], list(waivers))

    return write


def test_chapter_that_shows_all_hunks_is_complete(written):
    assert written("code.py name", "code.py a =").complaints == []
    assert written("code.py name | a =").complaints == []
    assert written("code.py").complaints == []


def test_hunk_that_is_not_shown_is_named_with_its_chapter(written):
    (complaint,) = written("code.py a =").complaints
    assert "README.md: code.py::name#" in complaint
    assert "is not shown. Show it with {stepdiff} code.py name." in complaint


def test_reference_to_a_hunk_that_does_not_exist_is_named(written):
    complaints = written("code.py name", "code.py a =", "code.py c =", "other.py").complaints
    assert len(complaints) == 2
    assert (
        "{stepdiff} code.py c =: no hunk is there. Name a part of it that differs" in complaints[0]
    )
    assert "other.py doesn't differ in this step" in complaints[1]


def test_hunk_that_is_shown_twice_is_named(written):
    (complaint,) = written("code.py", "code.py name").complaints
    assert "shows code.py::name#" in complaint


def test_hunk_without_a_hint_is_named(written):
    (complaint,) = written("code.py", hint="").complaints
    assert "no hint" in complaint


def test_file_that_only_has_another_name_is_named():
    renamed = Change("renamed", "old.py", "new.py", [], [])
    assert "new.py is old.py under another name" in match(1, [renamed], []).complaints[-1]


def test_waiver_counts_for_what_is_not_shown_and_must_be_needed(written):
    waiver = {"because": "a reason", "names": ["*.py"]}
    partly = written("code.py a =", waivers=[waiver])
    assert (partly.complaints, len(partly.waived)) == ([], 1)
    (complaint,) = written("code.py", waivers=[waiver]).complaints
    assert "*.py needs no waiver" in complaint


def test_file_is_made_of_the_hunks_that_are_given(written):
    made = written("code.py name", "code.py a =")
    assert texts_with(made, made.hunks[:1]) == {"code.py": "\nb = 2\n"}
    assert texts_with(made, made.hunks) == {"code.py": "a = 1\n\nb = 2\n"}


@pytest.mark.parametrize(
    "text", ["[[step", '[[x]]\nnames = ["a"]', '[[x]]\nbecause = ""\nnames=[""]']
)
def test_waivers_that_can_not_be_read_are_refused(tmp_path, monkeypatch, text):
    monkeypatch.setattr(chapters, "WAIVERS", tmp_path / "waivers.toml")
    chapters.WAIVERS.write_text(text)
    with pytest.raises(CourseError, match=r"waivers\.toml can't be read"):
        chapters.load_waivers()


def test_diff_shows_files_in_the_order_of_the_chapter(make):
    shown = re.findall(r"(?m)^diff --git a/(\S+)", make("diff", "4").stdout)
    order = dict.fromkeys(hunk.path for hunk in chapter(4).hunks)
    assert len(shown) > 3
    assert shown == [path for path in order if path in shown]
