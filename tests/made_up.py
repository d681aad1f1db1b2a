"""A made-up course of three small steps, with all that makes files difficult; and a copied one."""

import io
import os
import shutil
import subprocess
import tarfile
from pathlib import Path

from course.git import location, run_git, snapshot

ROOT = Path(__file__).resolve().parent.parent
FIRST = {
    "README.md": "# Step 1: greet\n\nThe END of step 1.\n\n## What is new\n\n- It greets.\n",
    "manage.py": "",
    "pytest.ini": "[pytest]\naddopts = -p no:django -p no:asyncio\npythonpath = .\n",
    "requirements.txt": "django==5.2.19\n",
    "chat/__init__.py": "",
    "chat/models.py": "\n".join(
        [
            '"""Who is greeted."""',
            "",
            "GREETING = 'Hello'",
            "",
            "",
            "class Room:",
            '    """A room."""',
            "",
            "    def __init__(self, name):",
            "        self.name = name",
            "",
            "    def greet(self, user):",
            '        """Return a greeting."""',
            "        return f'{GREETING}, {user}'",
            "",
        ]
    ),
    "static/page one.css": "body {\n  color: black;\n}\n",
    "static/größe.txt": "eins\nzwei\ndrei\n",
    "static/dos.txt": "one\r\ntwo\r\nthree\r\n",
    "static/open.txt": "first\nlast, without a line end",
    "static/logo.bin": b"\x00\x01\x02\xff",
    "templates/room.html": "<h1>Room</h1>\n<p>Nobody is here.</p>\n<p>Be the first.</p>\n",
    "tests/__init__.py": "",
    "tests/test_models.py": "\n".join(
        [
            "from chat.models import Room",
            "",
            "",
            "def test_user_is_greeted():",
            "    assert Room('General').greet('alice') == 'Hello, alice'",
            "",
            "",
            "def test_room_has_a_name():",
            "    assert Room('General').name == 'General'",
            "",
        ]
    ),
}
SECOND = {
    "README.md": "# Step 2: count\n\nThe END of step 2.\n\n## What is new\n\n- It counts.\n",
    "chat/models.py": FIRST["chat/models.py"]
    .replace("        self.name = name\n", "        self.name = name\n        self.greeted = 0\n")
    .replace("        return f", "        self.greeted += 1\n        return f"),
    "tests/test_count.py": "\n".join(
        [
            "from chat.models import Room",
            "",
            "",
            "def test_greetings_are_counted():",
            "    room = Room('General')",
            "    room.greet('alice')",
            "    assert room.greeted == 1",
            "",
        ]
    ),
}
THIRD = {
    "README.md": "# Step 3: say goodbye\n\nThe END of step 3.\n\n## What is new\n\n- It says so.\n",
    "chat/models.py": SECOND["chat/models.py"]
    + "\n    def part(self, user):\n        return f'Goodbye, {user}'\n",
    "static/page one.css": None,
    "tests/test_part.py": "\n".join(
        [
            "from chat.models import Room",
            "",
            "",
            "def test_user_is_seen_off():",
            "    assert Room('General').part('alice') == 'Goodbye, alice'",
            "",
        ]
    ),
}
STEPS = {"step01_greet": FIRST, "step02_count": SECOND, "step03_part": THIRD}


class Course:
    """A course in a folder of its own, in which commands can be run."""

    def __init__(self, folder):
        self.folder = folder
        (folder / ".venv").symlink_to(ROOT / ".venv")

    def write(self, path, content):
        """Write a file, text or bytes, exactly so; return its path."""
        file = self.folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content.encode() if isinstance(content, str) else content)
        return file

    def read(self, path):
        return (self.folder / path).read_bytes().decode()

    def replace(self, path, old, new):
        """Replace text in a file, where it has to be."""
        content = self.read(path)
        assert old in content
        self.write(path, content.replace(old, new))

    def run(self, *arguments, status=0, **variables):
        """Run a command of the course without make; return what it printed on both outputs."""
        command = [self.folder / ".venv" / "bin" / "python", "-m", "course", *arguments]
        environ = {k: v for k, v in os.environ.items() if not k.startswith("GIT_")}
        environ |= {"HOME": str(self.folder), "COLUMNS": "100"} | variables
        run = subprocess.run(
            command,
            cwd=self.folder,
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        output = run.stdout.decode(errors="surrogateescape")
        assert run.returncode == status, output
        assert "Traceback" not in output, output
        return output

    def git(self, *arguments):
        """Run git in the course; return what it printed."""
        who = ["-c", "user.name=Somebody", "-c", "user.email=somebody@example.org"]
        run = subprocess.run(
            ["git", *who, *arguments], cwd=self.folder, check=True, capture_output=True, text=True
        )
        return run.stdout

    def commit(self, message="a change"):
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", message)

    def files(self):
        """Return what is in all files of the steps, as bytes by path."""
        return {
            str(file.relative_to(self.folder)): file.read_bytes()
            for file in sorted(self.folder.glob("step*/**/*"))
            if file.is_file() and "__pycache__" not in file.parts
        }


class MadeUpCourse(Course):
    """A course with the real package `course` and three steps that mean nothing."""

    def __init__(self, folder):
        super().__init__(folder)
        for package in ["course", "bench"]:
            aside = shutil.ignore_patterns("__pycache__", "results", "node_modules")
            shutil.copytree(ROOT / package, folder / package, ignore=aside)
        shutil.copytree(ROOT / "requirements", folder / "requirements")
        for name in ["Makefile", ".gitignore", "pyproject.toml"]:
            shutil.copy(ROOT / name, folder)
        files = {}
        for step, changes in STEPS.items():
            files |= changes
            for path, content in files.items():
                if content is not None:
                    self.write(f"{step}/{path}", content)


class CopiedCourse(Course):
    """The course itself: what git tracks of it, and what is new, in another folder."""

    def __init__(self, folder):
        super().__init__(folder)
        archive = run_git("archive", snapshot(), **location())
        with tarfile.open(fileobj=io.BytesIO(archive)) as files:
            files.extractall(folder, filter="data")
