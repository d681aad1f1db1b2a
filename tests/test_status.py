import pytest

from course.chapters import load_chapters
from course.hunks import Change
from course.learn.status import DIFFERS, DONE, MISSING, find_status

CHAPTERS = load_chapters()
CODE = [
    change
    for number, chapter in CHAPTERS.items()
    for change in chapter.changes
    if number > 1 and change.part == "code" and change.hunks
]
BEFORE = '''\
"""A greeter."""

import os
import sys

from .names import find


class Greeter:
    def greet(self, user):
        """Greet somebody."""
        # Everybody has a name.
        print("hello", user)
'''
AFTER = '''\
"""A greeter."""

import os
import sys

from .names import find, forget


class Greeter:
    def greet(self, user):
        """Greet somebody."""
        # Everybody has a name.
        if not find(user):
            return
        print("hello", user)

    def part(self, user):
        forget(user)
        self.say(f"bye {user!r}")
        self.say("bye", [user, "see you"], loud=True)
'''


@pytest.fixture
def change(changes):
    """The change from BEFORE to AFTER."""
    (found,) = changes({"chat/greet.py": BEFORE}, {"chat/greet.py": AFTER})
    return found


def states(change, text):
    """Return the states of a file's hunks in their order, and whether there are extra lines."""
    status = find_status(change, text)
    return list(status.hunks.values()), status.extra


@pytest.mark.parametrize("change", CODE, ids=lambda change: change.path)
def test_step_before_has_no_hunk_and_the_finished_step_has_all(change):
    before = None if change.kind == "added" else "".join(change.old)
    after = None if change.kind == "removed" else "".join(change.new)
    assert states(change, before) == ([MISSING] * len(change.hunks), [])
    assert states(change, after) == ([DONE] * len(change.hunks), [])


@pytest.mark.parametrize(
    "change", [c for c in CODE if c.kind == "changed" or len(c.hunks) > 1], ids=lambda c: c.path
)
def test_hunk_that_is_left_out_or_comes_alone_is_found_and_no_other(change):
    every = {hunk.address for hunk in change.hunks}
    for one in every:
        for present in [every - {one}, {one}]:
            status = find_status(change, change.text_with(present))
            assert {a for a, state in status.hunks.items() if state == DONE} == present
            assert {a for a, state in status.hunks.items() if state == MISSING} == every - present
            assert status.extra == status.removed == []


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"hello"', "'hello'"),
        ('f"bye {user!r}"', "f'bye {user!r}'"),
        ("print(", "print (\n            "),
        (
            '[user, "see you"], loud=True)',
            '[\n            user,\n            "see you",\n        ], loud=True,)',
        ),
        ("import os\nimport sys", "import sys\nimport os"),
        ("from .names import find, forget", "from .names import (\n    forget,\n    find,\n)"),
        ("# Everybody has a name.", "# A name is needed."),
        ('"""Greet somebody."""', '"""Say hello to somebody."""'),
        ("\n\n    def part", "\n    # Later.\n\n\n    def part"),
    ],
)
def test_layout_quotes_comments_and_the_order_of_imports_make_no_difference(change, old, new):
    assert AFTER.count(old) == 1
    assert states(change, AFTER.replace(old, new)) == ([DONE] * len(change.hunks), [])


def test_other_code_differs_and_says_where(change):
    status = find_status(change, AFTER.replace("if not find(user):", "if find(user) is None:"))
    assert sorted(status.hunks.values()).count(DIFFERS) == 1
    address = next(a for a, state in status.hunks.items() if state == DIFFERS)
    assert status.lines[address] == 13


def test_old_line_that_is_still_there_is_named(changes):
    (change,) = changes({"a.py": "a = 1\nb = 2\n"}, {"a.py": "a = 1\nb = 3\n"})
    status = find_status(change, "a = 1\nb = 2\nb = 3\n")
    assert list(status.hunks.values()) == [DIFFERS]
    assert status.left == set(status.hunks)
    assert list(status.lines.values()) == [2]


def test_code_of_neither_step_is_extra(change):
    status = find_status(change, AFTER.replace("forget\n", "forget\n\nDEBUG = True\n", 1))
    assert status.extra == [8]
    assert set(status.hunks.values()) == {DONE}


def test_code_of_both_steps_that_was_removed_is_found(change):
    assert find_status(change, AFTER).removed == []
    assert find_status(change, AFTER.replace("import sys\n", "")).removed == [3]


def test_missing_lines_have_the_line_before_them(change):
    status = find_status(change, BEFORE)
    assert sorted(status.lines.values()) == [6, 12]


def test_method_in_another_place_is_not_missing(changes):
    before = "class A:\n    def one(self):\n        return 1\n"
    two = "\n    def two(self):\n        return self.one() + 1\n"
    (change,) = changes({"a.py": before}, {"a.py": before + two})
    elsewhere = before.replace("class A:\n", f"class A:{two}\n")
    assert states(change, elsewhere)[0] != [MISSING]


def test_lines_in_the_wrong_place_are_found_again(change):
    wrong = AFTER.replace("        if not find(user):\n            return\n", "")
    status = find_status(change, wrong + "        if not find(user):\n            return\n")
    assert MISSING not in status.hunks.values()
    assert status.extra == []
    assert len(wrong.splitlines()) + 1 in status.lines.values()


def test_file_that_python_cannot_read_is_compared_by_lines(change):
    assert states(change, AFTER + "def (:\n") == (
        [DONE] * len(change.hunks),
        [len(AFTER.splitlines()) + 1],
    )


def test_file_that_should_go_is_missing_until_it_is_deleted(changes):
    (change,) = changes({"a.js": "one\ntwo\n"}, {})
    assert find_status(change, "one\ntwo\n").hunks.keys() == find_status(change, None).hunks.keys()
    assert states(change, "one\ntwo\n")[0] == [MISSING]
    assert states(change, None)[0] == [DONE]


def test_nothing_is_needed_but_texts_and_hunks(change):
    data = Change(change.kind, change.path, change.path, change.old, change.new, change.hunks)
    assert find_status(data, AFTER).hunks == find_status(change, AFTER).hunks
