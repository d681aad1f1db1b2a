"""What the panel of a chapter gets to know about its step."""

import pytest

from course.errors import CourseError
from course.learn.tab_step import describe_step, find_mistakes
from course.steps import STEPS

PAGE = """\
### `It breaks`

```{code-cell}
:tags: [remove-input]

await mistake(3, {"chat/frames.py": ("import json", "import jason")}, "No module named 'jason'")
```

**Forget it.** In another step:

```{code-cell}
await mistake(4, {"chat/frames.py": ("import json", "")}, "NameError")
```

**Without Daphne:**

```{code-cell}
await mistake(3, {"mychannels/settings.py": ('    "daphne",', "")}, "Not Found")
await mistake(3, change, "something")
await mistake(3, {}, "something", act)
```
"""


@pytest.fixture
def page(tmp_path):
    file = tmp_path / "page.md"
    file.write_text(PAGE)
    return file


def test_mistakes_of_a_step_are_those_that_a_tab_can_make(page):
    assert find_mistakes(page, 3) == [
        {
            "title": "It breaks",
            "edits": {"chat/frames.py": [("import json", "import jason")]},
            "says": "No module named 'jason'",
        }
    ]
    assert [mistake["title"] for mistake in find_mistakes(page, 4)] == ["Forget it"]


def test_mistake_that_the_step_has_no_place_for_is_named(page):
    page.write_text(PAGE.replace("import json", "import nothing"))
    with pytest.raises(CourseError, match=r"chat/frames\.py of step 3 doesn't have"):
        find_mistakes(page, 3)


def test_files_are_those_of_the_chapter_before_and_after():
    step = describe_step(4)
    consumers = step["files"]["chat/consumers.py"]
    assert "Echo" in consumers["before"]
    assert consumers["after"] == (STEPS[4] / "chat/consumers.py").read_text()
    assert step["files"]["chat/management/commands/broadcast.py"]["before"] is None
    assert not any(path.startswith("tests/") for path in step["files"])


def test_mistakes_say_what_the_python_of_the_tab_says():
    titles = [mistake["title"] for mistake in describe_step(3)["mistakes"]]
    says = [mistake["says"] for mistake in describe_step(3)["mistakes"]]
    assert "TypeError: 'ChatConsumer' object can't be awaited" in says
    assert len(set(titles)) == len(titles) > 3
