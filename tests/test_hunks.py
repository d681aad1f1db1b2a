import subprocess
from itertools import pairwise

import pytest

from course.errors import CourseError
from course.git import NOTHING, tree_of
from course.hunks import compare, encode, split_lines
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


def test_ignored_files_are_left_out(changes):
    assert changes({}, {"db.sqlite3": "data\n", "chat/__pycache__/models.pyc": "code\n"}) == []


def test_lines_between_make_two_hunks_even_when_they_are_neighbours(hunks):
    found = hunks("a = 1\nb = 2\nc = 3\n", "a = 9\nb = 2\nc = 9\n")
    assert [(hunk.removed, hunk.added) for hunk in found] == [
        (["a = 1\n"], ["a = 9\n"]),
        (["c = 3\n"], ["c = 9\n"]),
    ]


def test_new_file_has_a_hunk_for_each_definition(hunks):
    assert ["".join(hunk.added).strip().splitlines()[0] for hunk in hunks("", CONSUMER)] == [
        "import json",
        "class Consumer:",
        "def receive(self, text):",
    ]


def test_blank_line_in_a_docstring_makes_no_hunk_of_its_own(hunks):
    added = 'def read(text):\n    """Read it.\n\n    Raises ValueError.\n    """\n    return text\n'
    assert len(hunks("", added)) == 1


def test_decorator_belongs_to_its_function(hunks):
    found = hunks("a = 1\n", "a = 1\n\n\n@atomic\ndef save():\n    pass\n")
    assert ["@atomic\n" in hunk.added for hunk in found] == [True]


def test_paragraphs_of_another_language_are_hunks(hunks):
    script = "const a = 1;\n\nfunction one() {\n  a;\n\n  b;\n}\n\nfunction two() {}\n"
    assert len(hunks("", script, path="static/chat.js")) == 3


def test_what_a_run_removes_belongs_to_its_first_hunk(hunks):
    before = "def old():\n    pass\n"
    after = "def one():\n    return 1\n\n\ndef two():\n    return 2\n"
    first, second = hunks(before, after)
    assert (bool(first.removed), second.removed) == (True, [])


@pytest.mark.parametrize(
    ("old", "new", "inside"),
    [
        ("self.accept()", "self.close()", "Consumer.connect"),
        ("import json", "import json as json", ""),
        (
            "        self.accept()\n",
            "        self.accept()\n\n    def disconnect(self):\n        pass\n",
            "Consumer",
        ),
    ],
)
def test_hunk_knows_the_class_or_function_around_it(hunks, old, new, inside):
    [hunk] = hunks(CONSUMER, CONSUMER.replace(old, new))
    assert hunk.inside == inside


def test_python_that_cannot_be_parsed_has_hunks_too(hunks):
    [hunk] = hunks("def f(:\n    a\n", "def f(:\n    b\n")
    assert hunk.added == ["    b\n"]


def test_address_stays_when_lines_before_it_come_and_go(hunks):
    changed = CONSUMER.replace("self.accept()", "self.close()")
    [first] = hunks(CONSUMER, changed)
    [second] = hunks(f"a = 1\n{CONSUMER}", f"a = 1\n{changed}")
    assert first.address == second.address
    assert first.address.startswith("chat/consumers.py#")


def test_address_changes_with_a_line_of_the_hunk(hunks):
    addresses = {
        hunks(CONSUMER, CONSUMER.replace("self.accept()", f"self.{name}()"))[0].address
        for name in ["close", "refuse"]
    }
    assert len(addresses) == 2


def test_equal_hunks_of_a_file_have_different_addresses(hunks):
    first, second = hunks("a\nb\nc\n", "a\nx\nb\nx\nc\n", path="a.txt")
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
    lines = split_lines(after)
    for hunk in reversed(change.hunks):
        assert lines[hunk.new_start : hunk.new_start + len(hunk.added)] == hunk.added
        lines[hunk.new_start : hunk.new_start + len(hunk.added)] = hunk.removed
    assert "".join(lines) == before


def test_file_without_a_hunk_keeps_the_others(changes):
    [change] = changes({"a.txt": "a\nb\nc\n"}, {"a.txt": "A\nb\nC\n"})
    assert change.without(change.hunks[0]) == b"a\nb\nC\n"


def test_hunks_of_the_course_turned_back_give_the_step_before():
    trees = [NOTHING, *map(tree_of, STEPS.values())]
    for before, after in pairwise(trees):
        for change in compare(before, after):
            lines = split_lines((change.new or b"").decode())
            for hunk in reversed(change.hunks):
                lines[hunk.new_start : hunk.new_start + len(hunk.added)] = hunk.removed
            assert encode("".join(lines)) == (change.old or b"")
            addresses = [hunk.address for hunk in change.hunks]
            assert len(set(addresses)) == len(addresses)


@pytest.fixture
def folders(tmp_path):
    """Two folders with the same file in them."""
    both = [tmp_path / "one", tmp_path / "two"]
    for folder in both:
        folder.mkdir()
        (folder / "a.txt").write_text("a\n")
    return both


def test_link_in_the_place_of_a_file_is_a_change_without_hunks(folders):
    (folders[1] / "a.txt").unlink()
    (folders[1] / "a.txt").symlink_to("b.txt")
    [change] = compare(*map(tree_of, folders))
    assert (change.kind, change.hunks) == ("changed", [])


def test_repository_in_a_step_gets_one_line(folders):
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@example.org", "-C", folders[1] / "inner"]
    subprocess.run(["git", "init", "--quiet", folders[1] / "inner"], check=True)
    with pytest.raises(CourseError, match="does not have a commit"):
        tree_of(folders[1])
    subprocess.run([*git, "commit", "--quiet", "--allow-empty", "-m", "a"], check=True)
    with pytest.raises(CourseError, match="another git repository"):
        compare(*map(tree_of, folders))


def test_attributes_of_the_user_make_no_difference(folders, tmp_path, monkeypatch):
    attributes = tmp_path / "config" / "git" / "attributes"
    attributes.parent.mkdir(parents=True)
    attributes.write_text("*.txt text\n")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    (folders[1] / "a.txt").write_bytes(b"a\r\n")
    assert [change.new for change in compare(*map(tree_of, folders))] == [b"a\r\n"]
