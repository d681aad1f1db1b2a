"""make tab: what runs a step in the reader's browser tab, built into build/docs/tab/site/.

It has two folders whose names end with a digest of their content, so a browser may keep them:
runtime-HASH/ is Pyodide with Django and Channels, panel-HASH/ is what docs/tab has and the steps.
"""

import fcntl
import gzip
import hashlib
import io
import json
import os
import re
import shutil
import subprocess
import tarfile
import zipfile
from email.parser import HeaderParser
from fnmatch import fnmatchcase
from pathlib import Path

from course.chapters import DOCS
from course.errors import CourseError, say
from course.git import find_tree, location, run_git, snapshot
from course.learn.tab_data import write_course_zip, write_zip
from course.learn.tab_step import describe_step
from course.steps import ROOT, STEPS
from course.venv import BUILD, LOCKS, PYTHON, environ

SOURCE = DOCS / "tab"
TAB = BUILD / "docs" / "tab"
SITE = TAB / "site"
MANIFEST = TAB / "manifest.json"
NPM = TAB / "npm"
WHEELS = TAB / "wheels"
MOST = 12_000_000  # bytes that the site may have when it is compressed
LIBRARIES = ["asgiref", "channels", "django", "redis", "sqlparse", "tzdata"]
FOR_TESTS = ["iniconfig", "pluggy", "pygments", "pytest", "pytest-asyncio", "pytest-django"]
# Where the modules of an archive are in the tab.
PLACES = {
    "libs.zip": "libraries",
    "tests.zip": "libraries",
    "python_stdlib.zip": "lib/python314.zip",
}
PYODIDE_FILES = ["pyodide.mjs", "pyodide.asm.mjs", "pyodide.asm.wasm"]
ASIDE = ["LICENSES.txt", "course.zip", "tests.zip"]  # loaded when a reader asks for them
LICENSE = re.compile(r"(?i)(.*/)?(licen[cs]e|copying)[^/]*")


def build_tab():
    """Build what is out of date, print where it is and its size; return 0."""
    manifest = build()
    sizes = [f"{manifest[name] / 1e6:.1f} MB" for name in ["bytes", "total"]]
    print("{} ({} for a chapter, {} in all)".format(SITE, *sizes))
    return 0


def build_for_docs():
    """Build it for the guide, which goes on without it unless REQUIRE_BROWSER=1 is set."""
    try:
        build()
    except CourseError as error:
        if os.environ.get("REQUIRE_BROWSER") == "1":
            raise
        say(f"The guide gets no panel that runs a step. {error}")


def put_into(html):
    """Copy the site, if it is built, over the guide in that folder, in place of an older one."""
    shutil.rmtree(html / "tab", ignore_errors=True)
    (html / "service-worker.js").unlink(missing_ok=True)
    if MANIFEST.exists():
        shutil.copytree(SITE, html, dirs_exist_ok=True)


def build():
    """Build what is out of date; return the manifest, which is a file only if all is built."""
    MANIFEST.unlink(missing_ok=True)
    check_node()
    check_versions()
    TAB.mkdir(parents=True, exist_ok=True)
    with open(TAB / "lock", "w") as one_at_a_time:
        fcntl.flock(one_at_a_time, fcntl.LOCK_EX)
        install_packages()
        runtime = update("runtime", runtime_inputs(), write_runtime)
        panel = update("panel", panel_inputs(), write_panel)
    worker = (SOURCE / "web" / "service-worker.js").read_text()
    for placeholder, folder in [("__RUNTIME__", runtime["folder"]), ("__PANEL__", panel["folder"])]:
        worker = worker.replace(placeholder, folder)
    (SITE / "service-worker.js").write_text(worker)
    manifest = {"runtime": runtime["folder"], "panel": panel["folder"]}
    manifest |= measure(runtime["sizes"], panel["sizes"])
    MANIFEST.write_text(json.dumps(manifest))
    return manifest


def check_node():
    """Raise CourseError unless npm and a Node.js that can run Pyodide are there."""
    wanted = "Install Node.js 20 or newer, with npm (https://nodejs.org), then type the same again."
    if not (shutil.which("node") and shutil.which("npm")):
        raise CourseError(f"Node.js or npm is missing. {wanted}")
    version = run(["node", "--version"]).strip()
    if int(re.match(r"v(\d+)", version)[1]) < 20:
        raise CourseError(f"This is Node.js {version}. {wanted}")


def check_versions():
    """Raise CourseError if no_threads.py was written for another asgiref or Pyodide."""
    text = (SOURCE / "python" / "no_threads.py").read_text()
    asgiref = re.match("asgiref==([^ ]+)", read_lock(["asgiref"]))[1]
    compare_version(text, "ASGIREF", asgiref, "asgiref", "the lock", "asgiref/sync.py")
    pyodide = json.loads((SOURCE / "package.json").read_text())["dependencies"]["pyodide"]
    place = "docs/tab/package.json"
    compare_version(text, "PYODIDE", pyodide, "Pyodide", place, "pyodide/webloop.py")


def compare_version(text, constant, found, package, place, file):
    """Raise CourseError if the constant in the text of no_threads.py isn't the version found."""
    known = re.search(rf'(?m)^{constant} = "(.*)"', text)[1]
    if known != found:
        raise CourseError(
            f"docs/tab/python/no_threads.py overrides parts of {package} {known}, and {place} has "
            f"{found}. Read what changed in {file}, run the tab's tests, then change {constant}."
        )


def install_packages():
    """Bring the packages from npm and PyPI that the locks name to build/, if they aren't there."""
    lock = (SOURCE / "package-lock.json").read_bytes()
    installed = NPM / "node_modules" / "installed.json"  # a copy, put there at the end
    if not installed.exists() or installed.read_bytes() != lock:
        say("Installing what docs/tab/package-lock.json lists, once ...")
        NPM.mkdir(parents=True, exist_ok=True)
        for name in ["package.json", "package-lock.json"]:
            shutil.copy(SOURCE / name, NPM)
        options = ["--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
        run(["npm", "ci", *options], cwd=NPM)
        installed.write_bytes(lock)
    wanted, noted = read_lock(LIBRARIES + FOR_TESTS), WHEELS / "wanted.txt"
    if not noted.exists() or noted.read_text() != wanted:
        say("Downloading Django, Channels and pytest for the browser tab, once ...")
        shutil.rmtree(WHEELS, ignore_errors=True)
        WHEELS.mkdir(parents=True)
        new = WHEELS / "new.txt"
        new.write_text(wanted)
        options = ["--quiet", "--disable-pip-version-check", "--no-input", "--no-deps"]
        options += ["--require-hashes", "--only-binary", ":all:"]
        run([PYTHON, "-m", "pip", "download", *options, "-r", new, "-d", WHEELS])
        new.rename(noted)


def read_lock(names):
    """Return the lines of course.lock for these packages, for any system.

    tzdata is there for Windows alone, and a browser tab needs it, too.
    """
    entries = re.split(r"(?m)^(?=\S)", (LOCKS / "course.lock").read_text())
    found = {entry.partition("==")[0]: entry for entry in entries}
    if missing := [name for name in names if name not in found]:
        raise CourseError(f"requirements/course.lock has no {missing[0]}. Add it to course.in.")
    return "".join(re.sub(r" ;.*(?= \\)", "", found[name], count=1) for name in names)


def run(command, cwd=ROOT, **variables):
    """Run a command; return what it prints. Raise CourseError, and show that, if it fails."""
    process = subprocess.run(
        command,
        cwd=cwd,
        env=environ(**variables),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
    )
    if process.returncode:
        say(process.stdout)
        name = Path(command[0]).name
        raise CourseError(f"{name} failed, see above. Fix that, then type the same again.")
    return process.stdout


def update(name, inputs, write):
    """Let `write` write a folder of the site, unless it was written with the same inputs.

    Return a dict: its name as "folder", and "sizes", the bytes of each file when compressed.
    """
    note = TAB / f"{name}.json"
    known = json.loads(note.read_text()) if note.exists() else {}
    digest = hashlib.sha256("\n".join(inputs).encode()).hexdigest()
    if known.get("inputs") == digest and (SITE / "tab" / known["folder"]).exists():
        return known
    say(f"Building the {name} of the browser tab ...")
    new = TAB / f"{name}.new"
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir(parents=True)
    write(new)
    contents = read_folder(new)
    folder = f"{name}-{digest_of(contents)[:12]}"
    for old in SITE.glob(f"tab/{name}-*"):
        shutil.rmtree(old)
    (SITE / "tab").mkdir(parents=True, exist_ok=True)
    new.rename(SITE / "tab" / folder)
    sizes = {path: compressed_size(path, content) for path, content in contents.items()}
    built = {"inputs": digest, "folder": folder, "sizes": sizes}
    note.write_text(json.dumps(built))
    return built


def runtime_inputs():
    """Return texts that change when the runtime has to be built again."""
    ours = sorted((SOURCE / "build").glob("[a-z]*.*"))
    files = [SOURCE / "package-lock.json", *ours, Path(__file__)]
    return [*(file.read_text() for file in files), read_lock(LIBRARIES + FOR_TESTS)]


def panel_inputs():
    """Return texts that change when the panel has to be built again."""
    now = snapshot()
    return [find_tree(now, folder) or "" for folder in [DOCS, ROOT / "course", *STEPS.values()]]


def write_runtime(folder):
    """Write Pyodide, the standard library, Django and Channels, and pytest, without the rest."""
    pyodide = NPM / "node_modules" / "pyodide"
    for name in PYODIDE_FILES:
        shutil.copy(pyodide / name, folder)
    # Without its list of packages: none of them is here, and Pyodide would advise to load them.
    lock = json.loads((pyodide / "pyodide-lock.json").read_text()) | {"packages": {}}
    (folder / "pyodide-lock.json").write_text(json.dumps(lock))
    archives = {
        "libs.zip": read_wheels(LIBRARIES),
        "tests.zip": read_wheels(FOR_TESTS),
        "python_stdlib.zip": read_zip(pyodide / "python_stdlib.zip"),
    }
    patterns = (SOURCE / "build" / "left_out.txt").read_text()
    for name, contents in archives.items():
        archives[name] = leave_out(contents, patterns)
    archives["libs.zip"]["redis/__init__.py"] = (SOURCE / "build" / "redis.py").read_bytes()
    for name, contents in compile_modules(archives).items():
        write_zip(folder / name, contents)
    (folder / "LICENSES.txt").write_text("\n".join(read_licenses()))


def read_wheels(names):
    """Return what is in the wheels of those packages, bytes by path."""
    contents = {}
    for name in names:
        [wheel] = WHEELS.glob(f"{name.replace('-', '_')}-*.whl")
        contents |= read_zip(wheel)
    return contents


def leave_out(contents, patterns):
    """Return the contents without those whose paths match a line of the patterns."""
    lines = patterns.splitlines()
    lines = [line for line in lines if line and not line.startswith("#")]
    return {
        path: content
        for path, content in contents.items()
        if not any(fnmatchcase(path, line) for line in lines)
    }


def compile_modules(archives):
    """Return the archives with modules as .pyc files, which Pyodide loads in a third of the time.

    Tracebacks name their lines, and don't show them.
    """
    sources = {
        f"{PLACES[name]}/{path}": content
        for name, contents in archives.items()
        for path, content in contents.items()
        if path.endswith(".py")
    }
    write_zip(TAB / "sources.zip", sources)
    pyodide = NPM / "node_modules" / "pyodide"
    compiled = TAB / "compiled.zip"
    run(["node", SOURCE / "build" / "compile.mjs", pyodide, TAB / "sources.zip", compiled])
    modules = read_zip(compiled)
    return {
        name: {
            path + "c" * path.endswith(".py"): modules.get(f"{PLACES[name]}/{path}c", content)
            for path, content in contents.items()
        }
        for name, contents in archives.items()
    }


def read_licenses():
    """Yield for each package its name, version, licence, where its source is, and the text."""
    yield "Python runs here as Pyodide. It, and the packages below, were made by others.\n"
    packages = json.loads((NPM / "package-lock.json").read_text())["packages"]
    for path, entry in packages.items():
        if path and not entry.get("dev") and (NPM / path / "package.json").exists():
            about = json.loads((NPM / path / "package.json").read_text())
            source = about.get("repository", "")
            source = source["url"] if isinstance(source, dict) else source
            yield f"== {about['name']} {about['version']} ({about['license']})\n{source}\n"
            yield from (file.read_text() for file in sorted((NPM / path).glob("LICENSE*")))
    yield "== Python 3.14 (PSF-2.0), as part of Pyodide\nhttps://github.com/python/cpython\n"
    for wheel in sorted(WHEELS.glob("*.whl")):
        contents = read_zip(wheel)
        [metadata] = [p for p in contents if re.fullmatch(r"[^/]*\.dist-info/METADATA", p)]
        about = HeaderParser().parsestr(contents[metadata].decode())
        classified = [c for c in about.get_all("Classifier", []) if c.startswith("License ::")]
        names = [about["License-Expression"], *classified, about["License"]]
        name = next(filter(None, names)).rpartition(" :: ")[2]
        source = f"https://pypi.org/project/{about['Name']}/{about['Version']}/#files"
        yield f"== {about['Name']} {about['Version']} ({name})\n{source}\n"
        texts = [p for p in sorted(contents) if ".dist-info/" in p and LICENSE.fullmatch(p)]
        yield from (contents[path].decode() for path in texts)


def write_panel(folder):
    """Write the panel's scripts and styles, our Python, and what is known of each step."""
    web = SOURCE / "web"
    scripts = {file.name: file for file in web.glob("*.js") if file.name != "service-worker.js"}
    texts = "".join(file.read_text() for file in scripts.values())
    for name in re.findall(r'from "\./(.*)"', texts):
        scripts.pop(name, None)  # it becomes a part of the scripts that import it
    options = ["--bundle", "--format=esm", "--minify", "--keep-names"]
    options += ["--log-level=warning", f"--outdir={folder}"]
    esbuild = NPM / "node_modules" / ".bin" / "esbuild"
    run([esbuild, *sorted(scripts.values()), *options], NODE_PATH=str(NPM / "node_modules"))
    for file in web.glob("[a-z]*.*"):
        if file.suffix != ".js":
            shutil.copy(file, folder)
    python = {file.name: file.read_bytes() for file in (SOURCE / "python").glob("*.py")}
    write_zip(folder / "python.zip", python)
    now = snapshot()
    for number, step in STEPS.items():
        write_zip(folder / f"step{number:02}.zip", read_tree(find_tree(now, step)))
        (folder / f"step{number:02}.json").write_text(json.dumps(describe_step(number)))
    write_course_zip(folder / "course.zip")


def measure(runtime, panel):
    """Return what a reader downloads for a chapter, as "bytes", and the "total" of the sizes.

    `runtime` and `panel` are sizes by path. Raise CourseError if the total is too large.
    """
    total = sum(runtime.values()) + sum(panel.values())
    if total > MOST:
        files = sorted((runtime | panel).items(), key=lambda item: -item[1])[:5]
        largest = ", ".join(f"{path} ({size:,})" for path, size in files)
        raise CourseError(
            f"The site of the browser tab has {total:,} bytes, and {MOST:,} is the most. "
            f"The largest are {largest}. Add what nobody needs to docs/tab/build/left_out.txt."
        )
    loaded, largest = 0, {}
    for path, size in (runtime | panel).items():
        if numbered := re.fullmatch(r"(.*)\d\d(\.\w+)", path):  # of one step
            kind = numbered.groups()
            largest[kind] = max(size, largest.get(kind, 0))
        elif path not in ASIDE:
            loaded += size
    return {"bytes": loaded + sum(largest.values()), "total": total}


def compressed_size(path, content):
    return len(content if path.endswith(".zip") else gzip.compress(content, 9))


def digest_of(contents):
    """Return a digest of contents, bytes by path."""
    digests = [f"{hashlib.sha256(contents[path]).hexdigest()} {path}" for path in sorted(contents)]
    return hashlib.sha256("\n".join(digests).encode()).hexdigest()


def read_folder(folder):
    files = (file for file in folder.rglob("*") if file.is_file())
    return {file.relative_to(folder).as_posix(): file.read_bytes() for file in files}


def read_zip(file):
    """Return what is in a zip file, bytes by path, without folders."""
    with zipfile.ZipFile(file) as archive:
        names = [name for name in archive.namelist() if not name.endswith("/")]
        return {name: archive.read(name) for name in names}


def read_tree(tree):
    """Return what is in a git tree, bytes by path."""
    archive = io.BytesIO(run_git("archive", "--format=tar", tree, **location()))
    with tarfile.open(fileobj=archive) as files:
        members = [member for member in files if member.isfile()]
        return {member.name: files.extractfile(member).read() for member in members}
