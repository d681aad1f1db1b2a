from itertools import pairwise

import pytest
from conftest import tree_of

from course.git import NOTHING, find_tree, snapshot
from course.hunks import LONGEST, compare
from course.steps import STEPS

CONSUMER = """\
import json


class Consumer:
    def connect(self):
        self.accept()

    def receive(self, text):
        return json.loads(text)
"""


@pytest.fixture
def hunks(changes):
    """A function that returns the hunks from one content of a Python file to another."""

    def between(before, after, path="chat/consumers.py"):
        return [hunk for change in changes({path: before}, {path: after}) for hunk in change.hunks]

    return between


def test_equal_files_have_no_changes(changes):
    assert changes({"a.txt": "a\n"}, {"a.txt": "a\n"}) == []


@pytest.mark.parametrize(
    ("before", "after", "kind"),
    [
        ({}, {"a.txt": "a\n"}, "added"),
        ({"a.txt": "a\n"}, {}, "removed"),
        ({"a.txt": "a\n"}, {"a.txt": "b\n"}, "changed"),
        ({"a.txt": "one\ntwo\nthree\n"}, {"b.txt": "one\ntwo\nthree\n"}, "renamed"),
        ({}, {"empty.txt": ""}, "added"),
        ({"a.bin": b"\0a"}, {"a.bin": b"\0b"}, "changed"),
    ],
)
def test_change_has_its_kind(changes, before, after, kind):
    assert [change.kind for change in changes(before, after)] == [kind]


def test_renamed_file_has_both_paths_and_what_else_changed(changes):
    lines = [f"line {n}\n" for n in range(20)]
    [change] = changes(
        {"a b.txt": "".join(lines)}, {"größe.txt": "".join([*lines[:-1], "another\n"])}
    )
    assert (change.kind, change.old_path, change.path) == ("renamed", "a b.txt", "größe.txt")
    assert [(hunk.removed, hunk.added) for hunk in change.hunks] == [(["line 19\n"], ["another\n"])]


@pytest.mark.parametrize(
    ("path", "part"),
    [
        ("chat/models.py", "code"),
        ("tests/test_chat.py", "tests"),
        ("pytest.ini", "tests"),
        ("README.md", "prose"),
    ],
)
def test_tests_and_texts_are_apart_from_code(changes, path, part):
    assert changes({}, {path: "x = 1\n"})[0].part == part


def test_lines_that_are_close_together_are_one_hunk(hunks):
    lines = [f"a{number} = 1\n" for number in range(40)]
    changed = list(lines)
    for number in [10, 13, 30]:
        changed[number] = f"a{number} = 2\n"
    first, second = hunks("".join(lines), "".join(changed))
    assert (first.removed, first.added) == (lines[10:14], changed[10:14])
    assert (second.lines[0].old, second.new_start, second.added) == (30, 30, ["a30 = 2\n"])
    assert [run.added for run in first.runs()] == [["a10 = 2\n"], ["a13 = 2\n"]]
    assert [run.new_start for run in first.runs()] == [10, 13]


def test_new_file_has_a_hunk_for_each_definition(hunks):
    assert ["".join(hunk.added).strip().splitlines()[0] for hunk in hunks("", CONSUMER)] == [
        "import json",
        "class Consumer:",
    ]


def test_long_class_has_a_hunk_for_each_method(hunks):
    methods = [f"    def method_{n}(self):\n" + "        pass\n" * 10 for n in range(3)]
    found = hunks("", "class Consumer:\n    kind = 1\n\n" + "\n".join(methods))
    names = ["Consumer", *(f"Consumer.method_{n}" for n in range(3))]
    assert [hunk.name for hunk in found] == names
    assert all(len(hunk.lines) <= LONGEST for hunk in found)


def test_long_text_of_another_language_has_a_hunk_for_each_paragraph(hunks):
    rules = "main {\n" + "\n".join(f"  a {{\n    b: {n};\n  }}\n" for n in range(10)) + "}\n"
    assert len(hunks("", rules, path="static/chat.css")) == 10


def test_blank_line_in_a_docstring_makes_no_hunk_of_its_own(hunks):
    added = 'def read(text):\n    """Read it.\n\n    Raises ValueError.\n    """\n    return text\n'
    assert len(hunks("", added)) == 1


def test_decorator_belongs_to_its_function(hunks):
    found = hunks("a = 1\n", "a = 1\n\n\n@atomic\ndef save():\n    pass\n")
    assert [(hunk.name, "@atomic\n" in hunk.added) for hunk in found] == [("save", True)]


def test_comment_belongs_to_the_function_below_it(hunks):
    [hunk] = hunks("", "# It saves.\ndef save():\n    pass\n")
    assert hunk.name == "save"


def test_paragraphs_of_another_language_are_hunks(hunks):
    script = "const a = 1;\n\nfunction one() {\n  a;\n\n  b;\n}\n\nfunction two() {}\n"
    assert len(hunks("", script, path="static/chat.js")) == 3


def test_what_a_run_removes_belongs_to_its_first_hunk(hunks):
    before = "def old():\n    pass\n"
    after = "def one():\n    return 1\n\n\ndef two():\n    return 2\n"
    first, second = hunks(before, after)
    assert (bool(first.removed), second.removed) == (True, [])


@pytest.mark.parametrize(
    ("old", "new", "name"),
    [
        ("self.accept()", "self.close()", "Consumer.connect"),
        ("import json", "import json as json", ""),
        (
            "        self.accept()\n",
            "        self.accept()\n\n    def disconnect(self):\n        pass\n",
            "Consumer.disconnect",
        ),
    ],
)
def test_hunk_knows_the_class_or_function_around_it(hunks, old, new, name):
    [hunk] = hunks(CONSUMER, CONSUMER.replace(old, new))
    assert hunk.name == name


def test_python_that_cannot_be_parsed_has_hunks_too(hunks):
    [hunk] = hunks("def f(:\n    a\n", "def f(:\n    b\n")
    assert hunk.added == ["    b\n"]


def test_address_stays_when_lines_before_it_come_and_go(hunks):
    changed = CONSUMER.replace("self.accept()", "self.close()")
    [first] = hunks(CONSUMER, changed)
    [second] = hunks(f"a = 1\n{CONSUMER}", f"a = 1\n{changed}")
    assert first.address == second.address
    assert first.address.startswith("chat/consumers.py::Consumer.connect#")


def test_address_changes_with_a_line_of_the_hunk(hunks):
    addresses = {
        hunks(CONSUMER, CONSUMER.replace("self.accept()", f"self.{name}()"))[0].address
        for name in ["close", "refuse"]
    }
    assert len(addresses) == 2


def test_equal_hunks_of_a_file_have_different_addresses(hunks):
    lines = [f"{n}\n" for n in range(20)]
    changed = [*lines[:4], "x\n", *lines[4:16], "x\n", *lines[16:]]
    first, second = hunks("".join(lines), "".join(changed), path="a.txt")
    assert second.address == f"{first.address}.2"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("one\r\ntwo\r\n", "one\r\nthree\r\n"),
        ("one\ntwo", "one\ntwo\n"),
        ("one\rtwo\x0c\u2028three\n", "one\rtwo\x0c\u2028four\n"),
        ("", "one"),
        ("-- one\n", "++ two\n@@ three\n\\ four\n"),
    ],
)
def test_hunks_turned_back_give_the_file_before(changes, before, after):
    [change] = changes({"a.txt": before}, {"a.txt": after})
    assert "".join(change.new) == after
    assert "".join(turn_back(change)) == before


def test_file_without_a_hunk_keeps_the_others(changes):
    lines = [f"{n}\n" for n in range(20)]
    changed = ["first\n", *lines[1:-1], "last\n"]
    [change] = changes({"a.txt": "".join(lines)}, {"a.txt": "".join(changed)})
    assert change.without(change.hunks[0]) == "".join([*lines[:-1], "last\n"])


def test_hunks_of_the_course_turned_back_give_the_step_before():
    now = snapshot()
    trees = [NOTHING, *(find_tree(now, step) for step in STEPS.values())]
    for before, after in pairwise(trees):
        for change in compare(before, after):
            assert turn_back(change) == change.old
            addresses = [hunk.address for hunk in change.hunks]
            assert len(set(addresses)) == len(addresses)


def turn_back(change):
    """Return the lines of a file without its hunks."""
    lines = list(change.new)
    for hunk in reversed(change.hunks):
        assert lines[hunk.new_start : hunk.new_start + len(hunk.added)] == hunk.added
        lines[hunk.new_start : hunk.new_start + len(hunk.added)] = hunk.removed
    return lines


def test_attributes_of_the_user_make_no_difference(tmp_path, monkeypatch):
    attributes = tmp_path / "config" / "git" / "attributes"
    attributes.parent.mkdir(parents=True)
    attributes.write_text("*.txt text\n")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    (tmp_path / "step").mkdir()
    (tmp_path / "step/a.txt").write_bytes(b"a\r\n")
    assert compare(NOTHING, tree_of(tmp_path / "step"))[0].new == ["a\r\n"]
