import pytest
from made_up import STEPS, MadeUpCourse

REFS = ["refs/heads/course", *(f"refs/tags/course/step0{n}" for n in [1, 2, 3])]


def refs(course):
    rows = course.git("for-each-ref", "--format=%(refname) %(objectname)").splitlines()
    return dict(row.split() for row in rows)


def test_every_step_is_a_commit_on_the_one_before(made_up):
    made_up.run("export")
    subjects = made_up.git("log", "--reverse", "--format=%s", "course", "--").splitlines()
    assert subjects == ["Step 1: greet", "Step 2: count", "Step 3: say goodbye"]


def test_commit_says_what_is_new(made_up):
    made_up.run("export")
    assert made_up.git("log", "-1", "--format=%b", "course/step02").strip() == "- It counts."


@pytest.mark.parametrize("number", [1, 2, 3])
def test_tag_has_the_files_of_its_step(made_up, number):
    made_up.run("export")
    step = list(STEPS)[number - 1]
    tag, folder = (
        made_up.git("rev-parse", name).strip()
        for name in [f"course/step0{number}^{{tree}}", f"HEAD:{step}"]
    )
    assert tag == folder


def test_clone_of_the_branch_is_the_last_step(made_up, tmp_path):
    made_up.run("export")
    copy = tmp_path / "clone"
    made_up.git("clone", "--quiet", "--branch", "course", made_up.folder, copy)
    there = {str(f.relative_to(copy)) for f in copy.rglob("*") if f.is_file()}
    there = {name for name in there if not name.startswith(".git/")}
    assert there == set(
        made_up.git("ls-tree", "-r", "-z", "--name-only", "HEAD:step03_part").split("\0")[:-1]
    )


def test_same_files_have_the_same_hashes_in_another_history(made_up, tmp_path):
    made_up.run("export")
    folder = tmp_path / "other"
    folder.mkdir()
    other = MadeUpCourse(folder)
    other.git("init", "--quiet", "--initial-branch=trunk")
    other.commit("another message")
    other.run("export")
    assert [refs(other)[name] for name in REFS] == [refs(made_up)[name] for name in REFS]


def test_second_export_changes_nothing(made_up):
    made_up.run("export")
    first = refs(made_up)
    made_up.run("export")
    assert refs(made_up) == first


def test_changed_step_changes_its_commit_and_the_later_ones(made_up):
    made_up.run("export")
    before = refs(made_up)
    made_up.replace("step02_count/chat/models.py", "Hello", "Hi")
    made_up.commit()
    made_up.run("export")
    after = refs(made_up)
    assert [before[name] == after[name] for name in REFS] == [False, True, False, False]


def test_tag_of_a_step_that_is_gone_goes_too(made_up):
    made_up.run("export")
    made_up.git("rm", "-r", "--quiet", "step03_part")
    made_up.commit()
    made_up.run("export")
    assert sorted(name for name in refs(made_up) if "course" in name) == REFS[:3]


def test_work_tree_index_and_branch_stay_as_they_are(made_up):
    made_up.write("step01_greet/static/staged.txt", "staged\n")
    made_up.git("add", "--all")
    made_up.replace("step01_greet/chat/models.py", "Hello", "Hi")
    before = made_up.files(), made_up.git("status"), made_up.git("diff", "--cached")
    output = made_up.run("export")
    assert (made_up.files(), made_up.git("status"), made_up.git("diff", "--cached")) == before
    assert "What isn't committed in the steps is not in it." in output
    assert "Hi" not in made_up.git("show", "course/step01:chat/models.py")


def test_detached_head_is_exported(made_up):
    made_up.git("switch", "--quiet", "--detach")
    made_up.run("export")
    assert set(REFS) <= set(refs(made_up))


def test_branch_of_somebody_else_stays(made_up):
    made_up.git("branch", "course")
    before = refs(made_up)
    output = made_up.run("export", status=2)
    assert output.endswith("Type: git branch -m course my-course\n")
    assert refs(made_up) == before


def test_tag_of_somebody_else_stays(made_up):
    made_up.git("tag", "--annotate", "--message=mine", "course/step02")
    before = refs(made_up)
    output = made_up.run("export", status=2)
    assert output.endswith("Type: git tag -d course/step02\n")
    assert refs(made_up) == before


def test_branch_that_is_checked_out_stays(made_up):
    made_up.run("export")
    made_up.git("worktree", "add", "--quiet", "elsewhere", "course")
    before = refs(made_up)
    made_up.replace("step02_count/chat/models.py", "Hello", "Hi")
    made_up.git("commit", "--all", "--quiet", "--message=a change")
    assert "You are on the branch course." in made_up.run("export", status=2)
    assert [refs(made_up)[name] for name in REFS] == [before[name] for name in REFS]


def test_course_without_a_repository_gets_one_line(tmp_path):
    output = MadeUpCourse(tmp_path).run("export", status=2)
    assert "needs the history of the course" in output
    assert output.count("\n") == 1
