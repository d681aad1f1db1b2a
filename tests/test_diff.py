import os
import pty
import re
import shutil
import subprocess

import pytest
from conftest import ROOT, environ
from made_up import STEPS, MadeUpCourse

IGNORED = shutil.ignore_patterns("__pycache__", "db.sqlite3*", ".*_cache")
ONE, TWO, THREE = STEPS


def paths(output):
    """Return the paths that a patch changes."""
    found = re.findall(r'^diff --git "?a/(.*?)"? "?b/(.*?)"?$', output, re.M)
    return [new if old == new else f"{old} -> {new}" for old, new in found]


def in_terminal(course, *arguments, **variables):
    """Run a command of the course in a terminal; return what came there."""
    inherited = {k: v for k, v in environ().items() if k not in {"LESS", "NO_COLOR", "PAGER"}}
    settings = {"HOME": course.folder, "TERM": "xterm-256color", "GIT_PAGER": "cat"}
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


def page_of(course, *arguments):
    """Return the page that a diff has written."""
    output = course.run("diff", *arguments, "HTML=1")
    with open(output.splitlines()[0], encoding="utf-8") as file:
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


def test_patch_has_the_files_of_the_code(made_up):
    output = made_up.run("diff", "3")
    assert paths(output) == ["chat/models.py", "static/page one.css"]
    assert f"From {TWO} to {THREE}, files shown: 2 of 4\n" in output
    assert "The texts: make diff 3 FILE='*.md'\n" in output
    assert "The tests, too: make diff 3 TESTS=1\n" in output
    assert "Not committed" not in output


def test_tests_included(made_up):
    output = made_up.run("diff", "2", "TESTS=1")
    assert paths(output) == ["chat/models.py", "tests/test_count.py"]
    assert "The tests, too" not in output


def test_nothing_is_shown_where_only_texts_differ(made_up):
    made_up.write(f"{TWO}/chat/models.py", made_up.read(f"{ONE}/chat/models.py"))
    output = made_up.run("diff", "2")
    assert paths(output) == []
    assert "files shown: 0 of 2" in output


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ("chat/models.py", ["chat/models.py"]),
        ("./chat/models.py", ["chat/models.py"]),
        (f"{THREE}/chat/models.py", ["chat/models.py"]),
        (f"{TWO}/chat/", ["chat/models.py"]),
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
    output = made_up.run("diff", "3", f"FILE={wanted}")
    assert paths(output) == found
    assert "The texts" not in output


def test_file_is_understood_as_an_absolute_path_and_in_small_letters(made_up):
    path = made_up.folder / THREE / "chat/models.py"
    assert paths(made_up.run("diff", "3", f"file={path}")) == ["chat/models.py"]


def test_file_matches_the_old_name_and_brackets(made_up):
    make_difficult(made_up)
    for wanted in ["größe.txt", "static/größe [neu].txt"]:
        assert paths(made_up.run("diff", "2", f"FILE={wanted}")) == [
            "static/größe.txt -> static/größe [neu].txt"
        ]


@pytest.mark.parametrize("wanted", ["nothing.py", "mod", "/chat", "../chat", "\x1b[2J"])
def test_file_unknown(made_up, wanted):
    output = made_up.run("diff", "1", "3", f"FILE={wanted}", status=2)
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
    assert "-    def part(self, user):" in output


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
    output = made_up.run("diff", "2", "FILE=*")
    assert "\ndiff --git a/static/größe.txt b/static/größe [neu].txt\n" in output
    result = apply(output, made_up.folder / ONE, tmp_path / "result")
    assert result == files(made_up.folder / TWO)


@pytest.mark.parametrize("number", range(1, 11))
def test_patch_of_a_real_step_gives_the_step(make, tmp_path, number):
    steps = [None, *sorted(ROOT.glob("step??_*"))]
    output = make("diff", str(number), "FILE=*").stdout
    assert apply(output, steps[number - 1], tmp_path / "result") == files(steps[number])


def test_words_that_differ_can_be_marked(made_up):
    assert "{+def part(self, user):+}" in made_up.run("diff", "3", "WORDS=1")


def test_piped_is_a_patch_and_nothing_else(made_up):
    command = [made_up.folder / ".venv" / "bin" / "python", "-m", "course", "diff", "2"]
    run = subprocess.run(command, cwd=made_up.folder, capture_output=True, text=True)
    assert run.stdout.startswith(" chat/models.py")  # git's table of the files, then the patch
    assert "From step" not in run.stdout
    assert "\x1b" not in run.stdout


def test_piped_reader_that_has_seen_enough(made_up):
    python = made_up.folder / ".venv" / "bin" / "python"
    command = f"'{python}' -m course diff 1 FILE='*' | head -1"
    run = subprocess.run(command, shell=True, cwd=made_up.folder, capture_output=True, text=True)
    assert run.stdout.startswith(" ")
    assert "Traceback" not in run.stderr


def test_uncommitted_work_is_shown_and_said(made_up):
    made_up.write(f"{TWO}/chat/new.py", "NEW = True\n")
    made_up.replace(f"{TWO}/chat/models.py", "greeted += 1", "greeted += 2")
    made_up.write(f"{TWO}/db.sqlite3", "a database\n")
    made_up.write(f"{TWO}/chat/.models.py.swp", "an editor\n")
    made_up.write(f"{THREE}/chat/other.py", "NEW = True\n")
    output = made_up.run("diff", "2")
    assert paths(output) == ["chat/models.py", "chat/new.py"]
    assert "+        self.greeted += 2" in output
    assert f"Not committed yet: {TWO}/chat/models.py, {TWO}/chat/new.py\n" in output


def test_tracked_file_counts_though_git_ignores_others_like_it(made_up):
    made_up.write(f"{TWO}/static/db.sqlite3", "wanted\n")
    made_up.git("add", "--force", f"{TWO}/static/db.sqlite3")
    assert "static/db.sqlite3" in paths(made_up.run("diff", "2"))


def test_work_tree_and_index_stay_as_they_are(made_up):
    make_difficult(made_up)
    before = made_up.files(), made_up.git("status", "--porcelain"), made_up.git("diff", "--cached")
    made_up.run("diff", "2", "FILE=*")
    after = made_up.files(), made_up.git("status", "--porcelain"), made_up.git("diff", "--cached")
    assert after == before


def test_folder_without_a_repository(made_up, tmp_path):
    folder = tmp_path / "unpacked"
    folder.mkdir()
    assert MadeUpCourse(folder).run("diff", "2") == made_up.run("diff", "2")


def test_folder_of_another_user_gets_one_line_with_the_cure(made_up):
    made_up.write(
        "bin/git",
        "#!/bin/sh\necho fatal: detected dubious ownership in repository >&2\nexit 128\n",
    ).chmod(0o755)
    output = made_up.run("export", status=2, PATH=f"{made_up.folder}/bin:{os.environ['PATH']}")
    cure = f"git config --global --add safe.directory '{made_up.folder}'\n"
    assert output.endswith(f"Type: {cure}")
    assert output.count("\n") == 1


def test_git_that_is_missing_gets_one_line(made_up):
    assert made_up.run("diff", "2", status=2, PATH="/nowhere").startswith("git is missing.")


def test_configuration_of_the_user_changes_no_patch(made_up):
    expected = made_up.run("diff", "2", "FILE=*")
    made_up.write(
        ".gitconfig",
        "[diff]\n\tnoprefix = true\n\texternal = false\n\talgorithm = minimal\n\tcontext = 9\n"
        "[color]\n\tui = always\n[core]\n\tpager = false\n\tquotePath = true\n",
    )
    assert made_up.run("diff", "2", "FILE=*") == expected


def test_terminal_shows_colours_in_the_pager_of_git(made_up):
    made_up.write("pager", '#!/bin/sh\necho "in a pager:"\ncat\n').chmod(0o755)
    output = in_terminal(made_up, "diff", "2", GIT_PAGER=f"'{made_up.folder}/pager'")
    assert output.index("in a pager:") < output.index("\x1b[32m+") < output.index("From step")


def test_page_has_both_steps_side_by_side(made_up):
    page = page_of(made_up, "3")
    assert f"<h1>From {TWO} to {THREE}</h1>" in page
    assert '<a href="#file-1">chat/models.py</a>' in page
    assert 'id="file-1"' in page
    assert re.search(r'<span class="diff_add">\s+def part\(self, user\):</span>', page)
    assert "removed +0 −3" in page


def test_page_escapes_what_it_shows(made_up):
    made_up.write(f"{TWO}/chat/<b>.html", "<script>alert(1)</script>\n")
    page = page_of(made_up, "2")
    assert "<script" not in page
    assert "<b>" not in page
    assert "&lt;script&gt;" in page


def test_page_needs_nothing_from_elsewhere(made_up):
    assert not re.search(r"(src|href)=\"(?!#)|url\(|@import", page_of(made_up, "2"))


def test_page_says_what_has_no_lines(made_up):
    make_difficult(made_up)
    assert page_of(made_up, "2", "FILE=*").count("<p>No lines differ:") == 4
