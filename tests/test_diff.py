import os
import pty
import re
import shutil
import subprocess
from html.parser import HTMLParser

import pytest
from conftest import ROOT, environ
from made_up import STEPS, MadeUpCourse

COLOUR = re.compile(r"\x1b\[[0-9;]*3[0-7]m")
IGNORED = shutil.ignore_patterns("__pycache__", "db.sqlite3*", ".*_cache")
ONE, TWO, THREE = STEPS


def split(output):
    """Return the lines of the summary, and the rest."""
    summary, _, rest = output.partition("\n\n")
    return summary.splitlines(), rest


def paths(output):
    """Return the paths in the summary."""
    rows = [line.split(maxsplit=3) for line in split(output)[0]]
    return [row[3] for row in rows if row[1].startswith("+")]


def in_terminal(course, *arguments, **variables):
    """Run a command of the course in a terminal; return what came there."""
    inherited = {k: v for k, v in environ().items() if k not in {"LESS", "NO_COLOR", "PAGER"}}
    settings = {"HOME": course.folder, "TERM": "xterm-256color", "COLUMNS": "100", "PAGER": ""}
    settings |= variables
    outside, inside = pty.openpty()
    process = subprocess.Popen(
        [course.folder / ".venv" / "bin" / "python", "-m", "course", *arguments],
        cwd=course.folder,
        env=inherited | {name: value for name, value in settings.items() if value is not None},
        stdin=subprocess.DEVNULL,
        stdout=inside,
        stderr=inside,
    )
    os.close(inside)
    output = b""
    with open(outside, "rb", buffering=0) as terminal:
        try:
            while chunk := terminal.read(65536):
                output += chunk
        except OSError:  # so does a terminal end
            pass
    assert process.wait() == 0, output
    return output.decode().replace("\r\n", "\n")


def plain(output):
    return re.sub(r"\x1b\[[0-9;]*m", "", output)


def page_of(course, *arguments, **variables):
    """Return the page that a diff has written."""
    output = course.run("diff", *arguments, "HTML=1", **variables)
    with open(output.splitlines()[-1], encoding="utf-8") as file:
        return file.read()


def apply(output, step, folder):
    """Apply the output of a diff to the files of a step, None for no files."""
    folder.mkdir() if step is None else shutil.copytree(step, folder, ignore=IGNORED)
    patch = output.encode(errors="surrogateescape")
    subprocess.run(["git", "apply"], cwd=folder, input=patch, check=True, capture_output=True)
    return files(folder)


def files(folder):
    """Return the contents and the modes of the files in a folder."""
    found = {}
    for top, folders, names in os.walk(folder):
        folders[:] = set(folders) - IGNORED(top, folders)
        for name in set(names) - IGNORED(top, names):
            with open(os.path.join(top, name), "rb") as file:
                executable = os.fstat(file.fileno()).st_mode & 0o100
                found[os.path.relpath(file.name, folder)] = file.read(), executable
    return found


def make_difficult(course):
    """Let the second step differ from the first in every way in which files can."""
    folder = course.folder / TWO
    (folder / "static/größe.txt").rename(folder / "static/größe [neu].txt")
    (folder / "templates/room.html").chmod(0o755)
    (folder / "static/page one.css").unlink()
    course.write(f"{TWO}/static/logo.bin", b"\x00\x01\x03")
    course.write(f"{TWO}/static/dos.txt", "one\r\n2\r\nthree\r\n")
    course.write(f"{TWO}/static/open.txt", "first\nlast, with a line end\n")
    course.write(f"{TWO}/static/latin.txt", "gr\xfcn\x1b[2J\n".encode("latin-1"))
    course.write(f"{TWO}/chat/empty.py", "")


def test_summary_has_a_line_for_each_file(made_up):
    summary, _ = split(made_up.run("diff", "3"))
    assert summary == [
        "changed    +3    -0  chat/models.py",
        "removed    +0    -3  static/page one.css",
        f"From {TWO} to {THREE}, files: 2, lines: +3 -3",
        "Files left out: 1 of tests (make diff 3 TESTS=1), 1 of prose (make diff 3 FILE=README.md)",
    ]


def test_summary_of_a_renamed_file_has_both_names(made_up):
    make_difficult(made_up)
    assert "static/größe.txt -> static/größe [neu].txt" in paths(made_up.run("diff", "2"))


def test_summary_is_nothing_that_git_takes_for_a_diff(made_up):
    summary, _ = split(made_up.run("diff", "2"))
    assert all(line[0].isalpha() and not line.startswith("diff") for line in summary)


def test_tests_left_out(made_up):
    output = made_up.run("diff", "2")
    assert paths(output) == ["chat/models.py"]
    assert "test_greetings_are_counted" not in output


def test_tests_included(made_up):
    output = made_up.run("diff", "2", "TESTS=1")
    assert paths(output) == ["chat/models.py", "tests/test_count.py"]
    assert "+def test_greetings_are_counted():" in output
    assert "Files left out: 1 of prose" in output


def test_left_out_files_of_prose_can_all_be_named(made_up):
    made_up.write(f"{TWO}/docs/more.md", "# More\n")
    assert "2 of prose (make diff 2 FILE='*.md')" in made_up.run("diff", "2")
    assert paths(made_up.run("diff", "2", "FILE=*.md")) == ["README.md", "docs/more.md"]


def test_left_out_is_all_that_differs(made_up):
    made_up.write(f"{TWO}/chat/models.py", made_up.read(f"{ONE}/chat/models.py"))
    summary, rest = split(made_up.run("diff", "2"))
    assert summary[0] == f"From {ONE} to {TWO}, files: 0, lines: +0 -0"
    assert rest == ""


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ("chat/models.py", ["chat/models.py"]),
        ("./chat/models.py", ["chat/models.py"]),
        ("chat", ["chat/models.py"]),
        ("tests/", ["tests/test_part.py"]),
        ("models.py", ["chat/models.py"]),
        ("README.md", ["README.md"]),
        ("static/page one.css", ["static/page one.css"]),
        ("*.py", ["chat/models.py", "tests/test_part.py"]),
        ("chat/m*", ["chat/models.py"]),
        ("*", ["README.md", "chat/models.py", "static/page one.css", "tests/test_part.py"]),
        (".", ["README.md", "chat/models.py", "static/page one.css", "tests/test_part.py"]),
    ],
)
def test_file_shows_what_it_matches(made_up, wanted, found):
    output = made_up.run("diff", "3", FILE=wanted)
    assert paths(output) == found
    assert output.count("\ndiff --git ") == len(found)
    assert "left out" not in output


def test_file_matches_the_old_name_and_brackets(made_up):
    make_difficult(made_up)
    for wanted in ["größe.txt", "static/größe [neu].txt"]:
        assert paths(made_up.run("diff", "2", FILE=wanted)) == [
            "static/größe.txt -> static/größe [neu].txt"
        ]


def test_file_whose_name_is_a_pattern(made_up):
    for name in ["*.py", "a.py"]:
        made_up.write(f"{TWO}/chat/{name}", "NEW = True\n")
    output = made_up.run("diff", "2", "FILE=chat/[*].py")
    assert paths(output) == ["chat/*.py"]
    assert output.count("\ndiff --git ") == 1


@pytest.mark.parametrize("wanted", ["nothing.py", "mod", "/chat", "../chat", "\x1b[2J"])
def test_file_unknown(made_up, wanted):
    output = made_up.run("diff", "1", "3", FILE=wanted, status=2)
    assert output.count("\n") == 1
    assert "README.md, chat/models.py, " in output
    assert output.endswith("Type: make diff 1 3 FILE=README.md\n")
    assert "\x1b" not in output


@pytest.mark.parametrize("arguments", [[], ["0"], ["4"], ["x"], ["1", "4"], ["1", "2", "3"]])
def test_numbers_wrong(made_up, arguments):
    output = made_up.run("diff", *arguments, status=2)
    assert output.count("\n") == 1
    assert "Type: make diff " in output


def test_steps_far_apart(made_up):
    output = made_up.run("diff", "1", "3")
    assert "+        self.greeted = 0" in output
    assert "+    def part(self, user):" in output
    assert "make diff 1 3 TESTS=1" in output


def test_steps_backwards(made_up):
    output = made_up.run("diff", "3", "1")
    assert paths(output) == ["chat/models.py", "static/page one.css"]
    assert "added      +3    -0  static/page one.css" in output
    assert "-    def part(self, user):" in output


def test_step_one_is_all_added(made_up):
    summary, _ = split(made_up.run("diff", "1", "FILE=*"))
    assert len(summary) == 14
    assert all(line.startswith("added") for line in summary[:-1])
    assert summary[-1].startswith(f"From nothing to {ONE}, files: 13,")


def test_steps_without_difference(made_up):
    assert made_up.run("diff", "2", "2") == f"Nothing differs between {TWO} and {TWO}.\n"


@pytest.mark.parametrize("arguments", [["1"], ["2"], ["3"], ["1", "3"], ["3", "1"]])
def test_patch_gives_the_other_step(made_up, tmp_path, arguments):
    output = made_up.run("diff", *arguments, "FILE=*")
    before, after = arguments if len(arguments) == 2 else (int(arguments[0]) - 1, arguments[0])
    steps = [None, *(made_up.folder / step for step in STEPS)]
    result = apply(output, steps[int(before)], tmp_path / "result")
    assert result == files(steps[int(after)])


def test_patch_of_difficult_files_gives_the_other_step(made_up, tmp_path):
    make_difficult(made_up)
    output = made_up.run("diff", "2", "FILE=*", PYTHONIOENCODING="ascii:strict")
    assert "\ndiff --git a/static/größe.txt b/static/größe [neu].txt\n" in output
    result = apply(output, made_up.folder / ONE, tmp_path / "result")
    assert result == files(made_up.folder / TWO)


@pytest.mark.skipif(shutil.which("patch") is None, reason="no patch: install patch")
def test_patch_can_be_read_by_patch(made_up, tmp_path):
    patch = made_up.run("diff", "3", "FILE=*")
    folder = shutil.copytree(made_up.folder / TWO, tmp_path / "result")
    subprocess.run(["patch", "-p1"], cwd=folder, input=patch.encode(), check=True)
    assert files(folder) == files(made_up.folder / THREE)


@pytest.mark.parametrize("number", [1, 2, 3, 4, 5, 6])
def test_patch_of_a_real_step_gives_the_step(make, tmp_path, number):
    steps = [None, *sorted(ROOT.glob("step0?_*"))]
    output = make("diff", str(number), "FILE=*").stdout
    assert apply(output, steps[number - 1], tmp_path / "result") == files(steps[number])


def test_patch_of_a_real_step_without_prose_gives_the_rest(make, tmp_path):
    step = next(ROOT.glob("step03_*"))
    output = make("diff", "3", "TESTS=1").stdout
    result = apply(output, next(ROOT.glob("step02_*")), tmp_path / "result")
    expected = files(step)
    assert result.pop("README.md") != expected.pop("README.md")
    assert result == expected


def test_patch_names_added_and_removed_files(made_up):
    assert "\n--- a/static/page one.css\t\n+++ /dev/null\n" in made_up.run("diff", "3")
    added = made_up.run("diff", "2", "TESTS=1")
    assert "\n--- /dev/null\n+++ b/tests/test_count.py\n" in added


def test_patch_says_that_the_last_line_is_open(made_up):
    make_difficult(made_up)
    output = made_up.run("diff", "2", "FILE=open.txt")
    assert "-last, without a line end\n\\ No newline at end of file\n+last, with" in output


def test_piped_has_no_colour(made_up):
    output = made_up.run("diff", "2", FORCE_COLOR="1", CLICOLOR_FORCE="1", PAGER="false")
    assert "\x1b" not in output
    assert "+        self.greeted = 0\n" in output


def test_piped_reader_that_has_seen_enough(made_up):
    python = made_up.folder / ".venv" / "bin" / "python"
    command = f"'{python}' -m course diff 1 FILE='*' | head -1"
    run = subprocess.run(command, shell=True, cwd=made_up.folder, capture_output=True)
    assert run.stdout.startswith(b"added ")
    assert run.stderr == b""


def test_piped_needs_neither_rich_nor_django(made_up):
    command = [made_up.folder / ".venv" / "bin" / "python", "-X", "importtime", "-m", "course"]
    run = subprocess.run(
        [*command, "diff", "2"], cwd=made_up.folder, capture_output=True, text=True
    )
    imported = {line.rpartition("|")[2].strip() for line in run.stderr.splitlines()}
    assert "course.diff" in imported
    assert not imported & {"rich", "django"}


def test_work_tree_counts_also_uncommitted(made_up):
    made_up.write(f"{TWO}/chat/new.py", "NEW = True\n")
    made_up.replace(f"{TWO}/chat/models.py", "greeted += 1", "greeted += 2")
    made_up.write(f"{TWO}/db.sqlite3", "a database\n")
    output = made_up.run("diff", "2")
    assert paths(output) == ["chat/models.py", "chat/new.py"]
    assert "+        self.greeted += 2" in output


def test_work_tree_and_index_stay_as_they_are(made_up):
    make_difficult(made_up)
    before = made_up.files(), made_up.git("status", "--porcelain"), made_up.git("count-objects")
    made_up.run("diff", "2", "FILE=*")
    after = made_up.files(), made_up.git("status", "--porcelain"), made_up.git("count-objects")
    assert after == before


def test_detached_head(made_up):
    expected = made_up.run("diff", "2")
    made_up.git("switch", "--quiet", "--detach")
    assert made_up.run("diff", "2") == expected


def test_folder_without_a_repository(made_up, tmp_path):
    folder = tmp_path / "unpacked"
    folder.mkdir()
    assert MadeUpCourse(folder).run("diff", "2") == made_up.run("diff", "2")


def test_configuration_of_the_user_changes_nothing(made_up):
    expected = made_up.run("diff", "2", "FILE=*")
    config = "[diff]\nnoprefix = true\nexternal = false\ncontext = 9\nrenames = false\n"
    config += "[color]\nui = always\n[core]\nquotePath = true\nautocrlf = true\n"
    made_up.write(".gitconfig", config)
    assert made_up.run("diff", "2", "FILE=*") == expected


def test_terminal_has_colours(made_up):
    output = in_terminal(made_up, "diff", "3")
    assert "\x1b[32m+\x1b[0m\x1b[32m    def part(self, user):" in output
    assert "\x1b[31m-\x1b[0m\x1b[31m  color: black;" in output


def test_terminal_has_the_summary_first(made_up):
    summary, _ = split(plain(in_terminal(made_up, "diff", "3")))
    assert summary == split(made_up.run("diff", "3"))[0]


def test_terminal_heading_has_lines_and_scopes(made_up):
    output = plain(in_terminal(made_up, "diff", "2"))
    assert "\n@@ -8,7 +8,9 @@ Room.__init__, Room.greet\n" in output


def test_terminal_heading_has_only_its_own_scopes(made_up):
    functions = [f"def f{n}():\n    return {n}\n\n" + "    # more\n" * 8 for n in range(3)]
    made_up.write(f"{ONE}/chat/scopes.py", "\n".join(functions))
    made_up.write(f"{TWO}/chat/scopes.py", "\n".join(functions).replace("return ", "return -"))
    output = plain(in_terminal(made_up, "diff", "2", "FILE=scopes.py"))
    assert re.findall("^@@ .* @@ ?(.*)$", output, re.MULTILINE) == ["f0", "f1", "f2"]


def test_terminal_heading_of_an_added_file_has_no_scopes(made_up):
    made_up.write(f"{TWO}/chat/new.py", "class A:\n    b = 1\n\n    def c(self):\n        pass\n")
    assert "\n@@ -0,0 +1,5 @@\n" in plain(in_terminal(made_up, "diff", "2", "FILE=new.py"))


def test_terminal_emphasises_words_of_similar_lines(made_up):
    made_up.replace(f"{TWO}/static/page one.css", "color: black", "color: white")
    output = in_terminal(made_up, "diff", "2", "FILE=*.css")
    assert "\x1b[7;31mblack\x1b[0m" in output
    assert "\x1b[7;32mwhite\x1b[0m" in output
    assert "-  color: black;\n+  color: white;\n" in plain(output)


def test_terminal_emphasises_escapes_as_a_whole(made_up):
    made_up.write(f"{ONE}/chat/text.py", r'TEXT = "a\n"' + "\n")
    made_up.write(f"{TWO}/chat/text.py", r'TEXT = "a\t"' + "\n")
    output = in_terminal(made_up, "diff", "2", "FILE=text.py")
    assert "\x1b[7;31m\\n\x1b[0m" in output
    assert "\x1b[7;32m\\t\x1b[0m" in output


def test_terminal_emphasises_nothing_in_lines_that_have_little_in_common(made_up):
    made_up.replace(f"{TWO}/static/page one.css", "color: black", "font: bold 1rem serif")
    output = in_terminal(made_up, "diff", "2", "FILE=*.css")
    assert COLOUR.search(output)
    assert "\x1b[7" not in output


def test_terminal_emphasises_a_line_that_has_moved_down(made_up):
    made_up.replace(f"{TWO}/static/page one.css", "  color: black;", "  top: 0;\n  color: white;")
    output = in_terminal(made_up, "diff", "2", "FILE=*.css")
    assert "\x1b[7;32mwhite\x1b[0m" in output
    assert "\n-  color: black;\n+  top: 0;\n+  color: white;\n" in plain(output)


def test_terminal_emphasises_nothing_in_very_long_runs(made_up):
    for step, colour in [(ONE, "black"), (TWO, "white")]:
        lines = "".join(f".c{n} {{ color: {colour} }}\n" for n in range(100))
        made_up.write(f"{step}/static/long.css", lines)
    output = in_terminal(made_up, "diff", "2", "FILE=*.css")
    assert "\x1b[7" not in output
    assert "\n-.c99 { color: black }\n+.c0 { color: white }\n" in plain(output)


def test_terminal_without_colour(made_up):
    output = in_terminal(made_up, "diff", "2", NO_COLOR="1")
    assert not COLOUR.search(output)
    assert "\n+        self.greeted = 0\n" in plain(output)


def test_terminal_that_is_narrow_breaks_no_line(made_up):
    line = "x = " + " + ".join(["a_long_name"] * 12)
    made_up.write(f"{TWO}/chat/wide.py", f"{line}\n")
    output = plain(in_terminal(made_up, "diff", "2", COLUMNS="40"))
    assert f"\n+{line}\n" in output
    assert f"\nFrom {ONE} to {TWO}, files: 2, lines: +3 -0\n" in output


def test_terminal_takes_brackets_and_colons_as_they_are(made_up):
    made_up.write(f"{TWO}/chat/[b]x[/b].py", "[bold]x[/bold] [/] :smile: \\[red]\n")
    output = plain(in_terminal(made_up, "diff", "2", "FILE=chat/[[]*"))
    assert "added chat/[b]x[/b].py\n" in output
    assert "+[bold]x[/bold] [/] :smile: \\[red]\n" in output


def test_terminal_is_safe_from_control_characters(made_up):
    evil = "\x1b]0;title\x07\x1b[2J\x9b2J\b\u202etxt\r"
    made_up.write(f"{TWO}/chat/\x1b[2J.py", f"{evil}\n")
    made_up.write(f"{TWO}/chat/latin.py", b"gr\xfcn\n")
    output = plain(in_terminal(made_up, "diff", "2"))
    assert r"+\x1b]0;title\x07\x1b[2J\x9b2J\x08\u202etxt\r" in output
    assert r"added chat/\x1b[2J.py" in output
    assert r"+gr\xfcn" in output
    assert not set("\x1b\x07\x9b\b\u202e\r") & set(output)


def test_terminal_says_in_one_line_what_has_no_lines(made_up):
    make_difficult(made_up)
    output = plain(in_terminal(made_up, "diff", "2"))
    assert "\nadded chat/empty.py\nIt is empty.\n\n" in output
    assert "\nchanged static/logo.bin\nIt is binary: 4 bytes before, 3 after.\n\n" in output
    assert "\nchanged templates/room.html\nOnly its mode changes.\n" in output
    assert "-> static/größe [neu].txt\nOnly its name changes.\n\n" in output


def test_terminal_shows_line_ends(made_up):
    make_difficult(made_up)
    output = plain(in_terminal(made_up, "diff", "2"))
    assert "\n one\\r\n-two\\r\n+2\\r\n three\\r\n" in output
    assert "\n-last, without a line end\n\\ No newline at end of file\n+last, with" in output


def test_pager_is_used_in_a_terminal(made_up):
    output = plain(in_terminal(made_up, "diff", "2", PAGER="sed 's/^/paged: /'"))
    assert output.startswith("paged: changed")
    assert "\npaged: +        self.greeted = 0\n" in output


def test_pager_is_less_if_none_is_named(made_up):
    less = made_up.write("bin/less", '#!/bin/sh\necho "less with $LESS"\n')
    less.chmod(0o755)
    path = f"{less.parent}:{os.environ['PATH']}"
    assert in_terminal(made_up, "diff", "2", PAGER=None, PATH=path) == "less with FRX\n"
    output = in_terminal(made_up, "diff", "2", PAGER=None, PATH=path, LESS="R")
    assert output == "less with R\n"


@pytest.mark.parametrize("pager", ["", " ", "cat", "no-such-pager"])
def test_pager_that_is_none(made_up, pager):
    output = plain(in_terminal(made_up, "diff", "2", PAGER=pager))
    assert output.count("\n+        self.greeted = 0\n") == 1


def test_pager_that_ends_early(made_up):
    output = in_terminal(made_up, "diff", "1", "FILE=*", PAGER="head -1")
    assert plain(output) == "added      +7    -0  README.md\n"


def test_pager_gets_what_is_typed_to_end_it(made_up):
    pager = "cat > /dev/null; kill -INT $PPID; echo still here"
    assert in_terminal(made_up, "diff", "2", PAGER=pager) == "still here\n"


def test_page_is_named_after_the_summary(made_up):
    summary, _ = split(made_up.run("diff", "2"))
    page = made_up.folder / "build" / "diff" / "step01-step02.html"
    expected = [*summary, str(page)]
    assert made_up.run("diff", "2", "HTML=1").splitlines() == expected
    assert in_terminal(made_up, "diff", "2", "HTML=1", PAGER="false").splitlines() == expected
    assert page.exists()


def test_page_has_both_steps_side_by_side(made_up):
    made_up.replace(f"{TWO}/static/page one.css", "color: black", "color: white")
    page = page_of(made_up, "2", FILE="*.css")
    heads = re.findall(r'<th scope="colgroup" colspan="2">(.*?)</th>', page)
    rows = re.findall(r"<tr>(<td.*)</tr>", page)
    old, new = (
        f'<td class="number" data-sign="{sign}">2</td>'
        f'<td data-sign="{sign}">  color: <mark>{colour}</mark>;</td>'
        for sign, colour in [("-", "black"), ("+", "white")]
    )
    same = '<td class="number" data-sign=" ">1</td><td data-sign=" ">body {</td>'
    assert heads == [ONE, TWO]
    assert rows[:2] == [same + same, old + new]


def test_page_emphasises_only_words(made_up):
    made_up.replace(f"{TWO}/static/page one.css", "color: black", "color: very black")
    page = page_of(made_up, "2", FILE="*.css")
    assert re.findall("<mark>(.*?)</mark>", page) == ["very "]


def test_page_links_to_its_files(made_up):
    page = page_of(made_up, "3", FILE="*")
    links = re.findall(r'<a href="#(.*?)">(.*?)</a>', page)
    assert [name for _, name in links] == paths(made_up.run("diff", "3", FILE="*"))
    assert [target for target, _ in links] == re.findall(r'<section .*?id="(.*?)"', page)


def test_page_has_scopes_and_counts(made_up):
    page = page_of(made_up, "2")
    assert '<th scope="rowgroup" colspan="4">@@ -8,7 +8,9 @@ Room.__init__, Room.greet</th>' in page
    assert page.count('<span class="counts">+2 −0</span>') == 2


def test_page_of_many_lines_has_plain_numbers(made_up):
    made_up.write(f"{TWO}/chat/long.py", "x = 1\n" * 1234)
    page = page_of(made_up, "2")
    assert ">1234</td>" in page
    assert "+1234 −0" in page


def test_page_escapes_all_that_it_shows(made_up):
    name = "<b>\"&'.html"
    made_up.write(f"{TWO}/templates/{name}", "<b>&amp;{{ steps }}</b>\x1b</td></table>\n")
    page = page_of(made_up, "2")
    assert "&lt;b&gt;&quot;&amp;&#x27;.html" in page
    assert "&lt;b&gt;&amp;amp;{{ steps }}&lt;/b&gt;\\x1b&lt;/td&gt;&lt;/table&gt;</td>" in page
    assert "<b>" not in page


def test_page_needs_nothing_from_elsewhere(made_up):
    page = page_of(made_up, "1", FILE="*")
    assert not re.search(r"https?://|url\(|@import|<script|<link|<img", page)
    assert all(target.startswith("#") for target in re.findall(r'(?:src|href)="(.*?)"', page))


def test_page_says_what_has_no_lines(made_up):
    make_difficult(made_up)
    page = page_of(made_up, "2")
    for said in ["It is empty.", "It is binary: 4 bytes before, 3 after."]:
        assert f"<p>{said}</p>" in page
    assert "<mark>without</mark>" in page
    assert "\\ No newline at end of file" in page


def test_page_of_the_first_step(made_up):
    page = page_of(made_up, "1")
    assert (made_up.folder / "build" / "diff" / "step00-step01.html").read_text() == page
    assert f"<h1>From nothing to {ONE}</h1>" in page


def test_page_closes_every_element(make):
    make("diff", "1", "6", "FILE=*", "HTML=1")
    open_elements = []

    class Reader(HTMLParser):
        def handle_starttag(self, tag, attrs):
            if tag not in {"meta", "col"}:
                open_elements.append(tag)

        def handle_endtag(self, tag):
            assert open_elements.pop() == tag

    Reader().feed((ROOT / "build" / "diff" / "step01-step06.html").read_text())
    assert open_elements == []
