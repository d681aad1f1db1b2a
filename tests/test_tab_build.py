import shutil

import pytest

from course.errors import CourseError
from course.learn import tab
from course.steps import STEPS


@pytest.fixture
def built(tmp_path, monkeypatch):
    """The folder that `make tab` writes to, empty."""
    monkeypatch.setattr(tab, "TAB", tmp_path / "tab")
    monkeypatch.setattr(tab, "SITE", tab.TAB / "site")
    monkeypatch.setattr(tab, "MANIFEST", tab.TAB / "manifest.json")
    tab.TAB.mkdir()
    return tab.TAB


def write_a(folder):
    (folder / "a.js").write_text("a")


def write_b(folder):
    (folder / "b.js").write_text("b")


def test_versions_are_those_that_no_threads_overrides():
    tab.check_versions()


@pytest.mark.parametrize(
    ("constant", "known"),
    [
        ("ASGIREF", "overrides parts of asgiref 1.2.3"),
        ("PYODIDE", "overrides parts of Pyodide 1.2.3"),
    ],
)
def test_other_version_is_named_with_what_to_do(tmp_path, monkeypatch, constant, known):
    (tmp_path / "python").mkdir()
    text = (tab.SOURCE / "python" / "no_threads.py").read_text()
    lines = [f'{constant} = "1.2.3"' if x.startswith(constant) else x for x in text.splitlines()]
    (tmp_path / "python" / "no_threads.py").write_text("\n".join(lines))
    shutil.copy(tab.SOURCE / "package.json", tmp_path)
    monkeypatch.setattr(tab, "SOURCE", tmp_path)
    with pytest.raises(CourseError, match=known) as caught:
        tab.check_versions()
    assert str(caught.value).endswith(f"then change {constant}.")


def test_lock_of_the_tab_has_hashes_and_no_conditions(tmp_path, monkeypatch):
    (tmp_path / "course.lock").write_text(
        "# made by uv\n"
        "asgiref==3.13.0 \\\n    --hash=sha256:aa\n"
        "tzdata==2026.6 ; sys_platform == 'win32' \\\n    --hash=sha256:bb\n"
    )
    monkeypatch.setattr(tab, "LOCKS", tmp_path)
    assert tab.read_lock(["tzdata"]) == "tzdata==2026.6 \\\n    --hash=sha256:bb\n"
    with pytest.raises(CourseError, match="has no channels"):
        tab.read_lock(["channels"])


def test_lock_has_all_packages_of_the_tab():
    assert tab.read_lock(tab.LIBRARIES + tab.FOR_TESTS).count("==") == 12


@pytest.mark.parametrize(
    ("path", "is_left_out"),
    [
        ("django/conf/locale/__init__.py", False),
        ("django/conf/locale/en/LC_MESSAGES/django.mo", False),
        ("django/conf/locale/en_GB/formats.py", True),
        ("django/conf/locale/es/formats.py", True),
        ("django/conf/locale/de/formats.py", True),
        ("django/contrib/admin/static/admin/js/vendor/jquery/jquery.js", False),
        ("django/contrib/auth/common-passwords.txt.gz", False),
        ("django/contrib/gis/geos/point.py", True),
        ("django/core/files/storage/base.py", False),
        ("redis/exceptions.py", False),
        ("redis/client.py", True),
        ("tzdata/zoneinfo/UTC", False),
        ("tzdata/zoneinfo/Europe/Berlin", True),
        ("pytest_django-4.14.0.dist-info/entry_points.txt", False),
        ("pytest_django-4.14.0.dist-info/RECORD", True),
        ("encodings/cp437.py", False),
        ("encodings/cp1250.py", True),
        ("encodings/iso8859_1.py", False),
        ("encodings/iso8859_15.py", True),
    ],
)
def test_left_out_is_what_the_patterns_say(path, is_left_out):
    patterns = (tab.SOURCE / "build" / "left_out.txt").read_text()
    assert (tab.leave_out({path: b""}, patterns) == {}) == is_left_out


def test_same_contents_make_the_same_zip(tmp_path):
    contents = {"b.py": b"b" * 100, "a/c.py": b"c"}
    tab.write_zip(tmp_path / "one.zip", contents)
    tab.write_zip(tmp_path / "two.zip", dict(reversed(contents.items())))
    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "two.zip").read_bytes()
    assert tab.read_zip(tmp_path / "one.zip") == contents


def test_zip_of_a_step_has_its_files():
    contents = tab.read_tree(tab.find_tree(tab.snapshot(), STEPS[1]))
    assert contents["manage.py"] == (STEPS[1] / "manage.py").read_bytes()
    assert "chat/models.py" in contents
    assert not any("db.sqlite3" in path or "__pycache__" in path for path in contents)


def test_folder_is_written_again_only_when_an_input_has_changed(built):
    first = tab.update("panel", ["1"], write_a)
    assert tab.update("panel", ["1"], write_b) == first
    second = tab.update("panel", ["2"], write_b)
    assert [folder.name for folder in tab.SITE.glob("tab/*")] == [second["folder"]]
    assert list(second["sizes"]) == ["b.js"]


def test_name_of_a_folder_depends_on_its_content_alone(built):
    first = tab.update("panel", ["1"], write_a)
    assert tab.update("panel", ["2"], write_a)["folder"] == first["folder"]
    assert tab.update("panel", ["3"], write_b)["folder"] != first["folder"]


def test_interrupted_build_is_done_again(built):
    def interrupted(folder):
        write_a(folder)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        tab.update("panel", ["1"], interrupted)
    assert list(tab.update("panel", ["1"], write_b)["sizes"]) == ["b.js"]


def test_size_for_a_chapter_has_one_step_and_no_tests():
    runtime = {"libs.zip": 1000, "tests.zip": 200}
    panel = {"panel.js": 10, "step01.zip": 3, "step02.zip": 4, "step01.json": 1}
    assert tab.measure(runtime, panel) == {"bytes": 1015, "total": 1218}


def test_too_large_a_site_is_an_error_that_names_the_largest_files():
    with pytest.raises(CourseError, match=r"libs\.zip \(11,999,999\).*left_out\.txt"):
        tab.measure({"libs.zip": 11_999_999}, {"panel.js": 2})


def test_site_takes_the_place_of_an_older_one_in_the_guide(built, tmp_path):
    html = tmp_path / "html"
    (html / "tab" / "panel-old").mkdir(parents=True)
    (html / "index.html").write_text("the guide")
    folder = tab.update("panel", ["1"], write_a)["folder"]
    tab.MANIFEST.write_text("{}")
    tab.put_into(html)
    assert [path.name for path in (html / "tab").iterdir()] == [folder]
    tab.MANIFEST.unlink()
    tab.put_into(html)
    assert [path.name for path in html.iterdir()] == ["index.html"]


def test_without_node_the_guide_goes_on_unless_a_browser_is_required(built, monkeypatch, capsys):
    monkeypatch.setattr(tab.shutil, "which", lambda name: None)
    monkeypatch.delenv("REQUIRE_BROWSER", raising=False)
    tab.MANIFEST.write_text("{}")
    tab.build_for_docs()
    assert "no panel that runs a step. Node.js or npm is missing" in capsys.readouterr().err
    assert not tab.MANIFEST.exists()
    monkeypatch.setenv("REQUIRE_BROWSER", "1")
    with pytest.raises(CourseError, match=r"Install Node\.js"):
        tab.build_for_docs()


def test_old_node_is_an_error(monkeypatch):
    monkeypatch.setattr(tab.shutil, "which", lambda name: name)
    monkeypatch.setattr(tab, "run", lambda command: "v18.19.0\n")
    with pytest.raises(CourseError, match=r"This is Node\.js v18\.19\.0\. Install Node\.js 20"):
        tab.check_node()
