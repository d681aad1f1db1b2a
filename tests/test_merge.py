import subprocess

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from course.merge import find_marks, find_size, main, merge_texts

EXAMPLES = settings(max_examples=50, deadline=None, database=None)
NAMES = "step02_count", "step01_greet"
BASE = b"a\nb\nc\nd\n"
TEXTS = st.lists(st.sampled_from(["a", "b", "", "\r", "ä", "<<<<<<< x"]), max_size=9).map(
    lambda lines: "\n".join(lines).encode()
)


def merge(ours, theirs, base=BASE):
    merged, clean = merge_texts(base, ours, theirs, NAMES)
    assert clean
    return merged


def conflict(ours, theirs, base=BASE):
    merged, clean = merge_texts(base, ours, theirs, NAMES)
    assert not clean
    return merged.decode()


@st.composite
def three_versions(draw):
    """Unlike lines and what two sides make of them: they keep, remove, replace them or add some."""
    base = [f"line {n}" for n in range(draw(st.integers(0, 8)))]
    sides = []
    for side in ("ours", "theirs"):
        lines = [f"{side} first"] * draw(st.booleans())
        for line in base:
            lines += draw(
                st.sampled_from([[line]] * 5 + [[], [f"{side} {line}"], [line, f"{side} + {line}"]])
            )
        sides.append(lines)
    ends = draw(st.lists(st.sampled_from(["", "\n"]), min_size=3, max_size=3))
    return [
        ("\n".join(lines) + end).encode() if lines else b""
        for lines, end in zip([base, *sides], ends, strict=True)
    ]


@given(TEXTS, TEXTS)
@EXAMPLES
def test_change_of_one_side_is_taken(base, side):
    assert merge_texts(base, base, side, NAMES) == (side, True)
    assert merge_texts(base, side, base, NAMES) == (side, True)
    assert merge_texts(base, side, side, NAMES) == (side, True)


@given(TEXTS, TEXTS, TEXTS)
@EXAMPLES
def test_sides_swapped_merge_to_the_same(base, ours, theirs):
    merged, clean = merge_texts(base, ours, theirs, NAMES)
    swapped, swapped_clean = merge_texts(base, theirs, ours, NAMES)
    assert clean == swapped_clean
    assert merged == swapped or not clean


@given(TEXTS, TEXTS, TEXTS)
@EXAMPLES
def test_what_git_merges_is_merged_the_same(tmp_path_factory, base, ours, theirs):
    folder = tmp_path_factory.mktemp("merge")
    for name, text in [("ours", ours), ("base", base), ("theirs", theirs)]:
        (folder / name).write_bytes(text)
    command = ["git", "merge-file", "--stdout", "--diff3", "ours", "base", "theirs"]
    run = subprocess.run(command, cwd=folder, capture_output=True)
    if run.returncode == 0:
        assert merge_texts(base, ours, theirs, NAMES) == (run.stdout, True)


@example([b"line 0\nline 1", b"ours first\nline 0", b"line 0\nnew\nline 1"])
@given(three_versions())
@EXAMPLES
def test_clean_merge_has_what_either_side_kept_or_added(versions):
    merged, clean = merge_texts(*versions, NAMES)
    base, ours, theirs, found = (text.decode().split("\n") for text in [*versions, merged])
    if clean:
        kept = [line for line in base if line in ours and line in theirs]
        added = [line for line in ours + theirs if line not in base]
        assert sorted(filter(None, found)) == sorted(filter(None, kept + added))
        for side in (ours, theirs):
            assert [line for line in found if line in side] == [n for n in side if n in found]


@given(three_versions())
@EXAMPLES
def test_line_of_ours_is_lost_only_where_theirs_removes_it(versions):
    merged, _ = merge_texts(*versions, NAMES)
    base, ours, theirs, found = (text.splitlines() for text in [*versions, merged])
    assert {*ours} - {*found} <= {*base} - {*theirs}


@given(three_versions())
@EXAMPLES
def test_conflicts_are_marked_and_nothing_else_is(versions):
    merged, clean = merge_texts(*versions, NAMES)
    first = [merged.splitlines()[number - 1] for number in find_marks(merged, 7)]
    assert first == [b"<<<<<<< step02_count"] * len(first)
    assert clean == (not first)


@given(st.sets(st.integers(0, 19)), st.sets(st.integers(0, 19)))
@EXAMPLES
def test_each_side_changes_its_lines_also_next_to_each_other(ours, theirs):
    base = [f"line {n}\n" for n in range(20)]
    mine, yours, both = (
        "".join(f"new {n}\n" if n in changed else base[n] for n in range(20)).encode()
        for changed in (ours, theirs - ours, ours | theirs)
    )
    merged, clean = merge_texts("".join(base).encode(), mine, yours, NAMES)
    assert (merged, clean) == (both, True)


@pytest.mark.parametrize(
    ("ours", "theirs", "merged"),
    [
        (b"a\nB\nc\nd\n", b"a\nb\nC\nd\n", b"a\nB\nC\nd\n"),
        (b"a\nb\nnew\nc\nd\n", b"a\nB\nc\nd\n", b"a\nB\nnew\nc\nd\n"),
        (b"a\nb\nnew\nc\nd\n", b"a\nb\nC\nd\n", b"a\nb\nnew\nC\nd\n"),
        (b"b\nc\nd\n", b"a\nB\nc\nd\n", b"B\nc\nd\n"),
        (b"A\nb\nC\nd\n", b"a\nB\nc\nD\n", b"A\nB\nC\nD\n"),
    ],
)
def test_neighbouring_lines_merge(ours, theirs, merged):
    assert merge(ours, theirs) == merge(theirs, ours) == merged


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (b"a\nB\nc\nd\n", b"a\n2\nc\nd\n"),
        (b"a\nb\none\nc\nd\n", b"a\nb\ntwo\nc\nd\n"),
        (b"a\nd\n", b"a\nb\nc\ninto what is gone\nd\n"),
        (b"a\nd\n", b"a\nb\nnew\nc\nd\n"),
        (b"a\nb\nc\nd\ne\n", b"a\nb\nc\n"),
        (b"", b"a\nb\nc\nD\n"),
    ],
)
def test_overlapping_edits_are_a_conflict(ours, theirs):
    assert conflict(ours, theirs).count("<<<<<<<") == 1


def test_conflict_shows_the_lines_that_differ():
    marked = (
        "a\n<<<<<<< step02_count\nB\n||||||| before\nb\n=======\n2\n>>>>>>> step01_greet\nc\nd\n"
    )
    assert conflict(b"a\nB\nc\nd\n", b"a\n2\nc\nd\n") == marked


def test_conflict_leaves_out_what_both_sides_added():
    ours, theirs = b"a\nsame\nours\nend\nb\nc\nd\n", b"a\nsame\ntheirs\nend\nb\nc\nd\n"
    lines = conflict(ours, theirs).splitlines()
    assert lines[:5] == ["a", "same", "<<<<<<< step02_count", "ours", "||||||| before"]
    assert lines[5:9] == ["=======", "theirs", ">>>>>>> step01_greet", "end"]


def test_line_ends_of_dos_stay():
    base = b"one\r\ntwo\r\nthree\r\n"
    assert merge(b"ONE\r\ntwo\r\nthree\r\n", b"one\r\nTWO\r\nthree\r\n", base).count(b"\r\n") == 3
    marked = conflict(b"1\r\ntwo\r\nthree\r\n", b"i\r\ntwo\r\nthree\r\n", base)
    assert marked.count("\r\n") == marked.count("\n") == 9


@pytest.mark.parametrize(
    ("base", "ours", "theirs", "merged"),
    [
        (b"first\nlast", b"first\nLAST", b"FIRST\nlast", b"FIRST\nLAST"),
        (b"first\nlast", b"first\nlast\n", b"FIRST\nlast", b"FIRST\nlast\n"),
        (b"first\nlast\n", b"first\nlast", b"FIRST\nlast\n", b"FIRST\nlast"),
        (b"first\nlast\n", b"FIRST\nlast\n", b"first\nlast\nnew", b"FIRST\nlast\nnew"),
    ],
)
def test_line_end_of_the_last_line_is_a_change_like_others(base, ours, theirs, merged):
    assert merge(ours, theirs, base) == merged


def test_lines_are_never_joined():
    marked = conflict(b"a\nb\nc\nD", b"a\nb\nc\nd\ne\n")
    assert "D\n|||||||" in marked
    assert "e\n>>>>>>>" in marked


def test_empty_files_are_texts():
    assert merge(b"", b"new\n", b"") == b"new\n"
    assert "one\n" in conflict(b"one\n", b"two\n", b"")


def test_markers_differ_from_lines_of_the_text():
    versions = [b"<<<<<<< x\n=======\n%s\n" % word for word in (b"a", b"b", b"c")]
    merged, _ = merge_texts(*versions, NAMES)
    assert find_size(merged, NAMES[0]) == 8
    assert list(find_marks(merged, 8)) == [3]
    assert list(find_marks(versions[1], 8)) == []


def test_lines_before_and_after_changed_ones_merge_in_one_file():
    base = b"a\nb\nc\nd\ne\nf\n"
    ours, theirs = b"a\nb\nafter\nc\nd\nbefore\ne\nf\n", b"a\nB\nc\nd\nE\nf\n"
    both = b"a\nB\nafter\nc\nd\nbefore\nE\nf\n"
    assert merge(ours, theirs, base) == merge(theirs, ours, base) == both


@pytest.mark.parametrize("left", [b"=======\n", b">>>>>>> x\n", b"||||||| before\r\n"])
def test_part_of_a_conflict_is_found(left):
    assert list(find_marks(b"a\n" + left + b"b\n", 7)) == [2]


def test_binary_files_conflict_and_ours_stays():
    assert merge_texts(b"\0a", b"\0b", b"c", NAMES) == (b"\0b", False)


def test_driver_leaves_ours_if_it_fails(tmp_path, monkeypatch):
    for name in ("ours", "base", "theirs"):
        (tmp_path / name).write_text(name)
    (tmp_path / "git").write_text("#!/bin/sh\necho broken >&2\nexit 255\n")
    (tmp_path / "git").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(OSError, match="broken"):
        main(*(tmp_path / name for name in ("ours", "base", "theirs")), *NAMES)
    assert (tmp_path / "ours").read_text() == "ours"
