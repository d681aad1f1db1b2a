import pytest

from course.author.accidents import find_accidents

SCRIPT = "// Connects.\nfunction connect(url) {\n  return new WebSocket(url); // for good\n}\n"
STYLE = "body {\n  color: black; /* on white */\n}\n"
PAGE = '<h1>Room</h1>\n{# the chat #}\n<p class="chat">Nobody is here.</p>\n'
CODE = """\
import json
import logging

logger = logging.getLogger(__name__)


# A frame is text.
def read(text, limit=200):
    \"\"\"Return the message.\"\"\"
    content = json.loads(text)  # or ValueError
    return content["message"][:limit]


def write(message):
    return json.dumps({"message": message})
"""


@pytest.fixture
def reasons(changes):
    """A function that returns why the hunks between two contents of a file are accidents."""

    def between(path, before, after):
        [change] = changes({path: before}, {path: after})
        return [reason for _, reason in find_accidents(change)]

    return between


def after(content, *replacements):
    for old, new in replacements:
        assert old in content
        content = content.replace(old, new)
    return content


@pytest.mark.parametrize(
    ("path", "content", "old", "new"),
    [
        ("a.py", CODE, "limit=200", "limit = 200"),
        ("a.py", CODE, 'content["message"]', "content['message']"),
        ("a.py", CODE, '{"message": message}', '{"message": message,}'),
        ("a.py", CODE, "(text, limit=200)", "(\n    text,\n    limit=200,\n)"),
        ("a.py", CODE, "# or ValueError", "# or an error"),
        ("a.py", CODE, "  # or ValueError", ""),
        ("a.py", CODE, "# A frame is text.\n", ""),
        ("a.js", SCRIPT, "  return", "    return"),
        ("a.js", SCRIPT, "// for good", "// forever"),
        ("a.css", STYLE, "/* on white */", "/* always */"),
        ("a.html", PAGE, "{# the chat #}", "{# the room #}"),
        ("a.html", PAGE, "<h1>", "<h1 >"),
        ("a.ini", "a = 1\n", "a = 1", "a=1"),
        ("a.txt", "a\r\nb\r\n", "\r", ""),
        ("a.txt", "a\nb\n", "b\n", "b"),
    ],
)
def test_hunk_that_changes_nothing_that_runs_is_an_accident(reasons, path, content, old, new):
    found = reasons(path, content, after(content, (old, new)))
    assert found
    assert {reason.split(",")[0] for reason in found} == {"nothing that runs differs"}


def test_imports_in_another_order_are_an_accident(reasons):
    moved = after(CODE, ("import json\nimport logging\n", "import logging\nimport json\n"))
    assert reasons("a.py", CODE, moved) == ["lines are moved, not changed"] * 2


def test_moved_comment_is_an_accident_where_it_was_and_where_it_is(reasons):
    comment = "# A frame is text.\n"
    moved = after(CODE, (comment, ""), ("def write", f"{comment}def write"))
    assert len(reasons("a.py", CODE, moved)) == 2


def test_moved_function_is_an_accident(reasons):
    write = CODE[CODE.index("def write") :]
    moved = write + "\n\n" + CODE.replace(write, "")
    assert "lines are moved, not changed" in reasons("a.py", CODE, moved)


def test_file_under_another_name_is_an_accident(changes):
    [change] = changes({"a.py": CODE}, {"b.py": CODE})
    assert [reason for _, reason in find_accidents(change)] == ["it is a.py under another name"]


@pytest.mark.parametrize(
    ("path", "content", "old", "new"),
    [
        ("a.py", CODE, "limit=200", "limit=100"),
        ("a.py", CODE, "    return json", "    # Keys are sorted elsewhere.\n    return json"),
        ("a.py", CODE, "return content", "return content.strip()"),
        ("a.js", SCRIPT, "new WebSocket(url)", "new EventSource(url)"),
        ("a.js", SCRIPT, "url)", "url, 'https://a.example')"),
        ("a.css", STYLE, "black", "white"),
        ("a.html", PAGE, "Nobody is here.", "Alice is here."),
    ],
)
def test_hunk_that_teaches_is_no_accident(reasons, path, content, old, new):
    assert reasons(path, content, after(content, (old, new))) == []


def test_new_file_is_no_accident(changes):
    [change] = changes({}, {"a.py": CODE})
    assert list(find_accidents(change)) == []
