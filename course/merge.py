"""git's merge driver for make carry: a base and what two sides have made of it become one text.

git runs this file by itself, without the rest of the course.
"""

import io
import os
import re
import subprocess
import sys
import tempfile
from collections import Counter
from itertools import count
from pathlib import Path

MARKS = b"<", b"|", b"=", b">"
MARK = re.compile(rb"^([<|=>])\1*", re.MULTILINE)


def merge_texts(base, ours, theirs, names=("ours", "theirs")):
    """Merge versions of a file, as bytes; return the result and whether it is without conflict.

    Conflicts are between markers longer or shorter than any in the texts, with what to call our
    side and theirs; where not all is text, the result of a conflict is ours.
    """
    texts = [ours, base, theirs]
    together = b"\n".join(texts)
    if b"\0" in together:
        return ours, False
    taken = {len(mark[0]) for mark in MARK.finditer(together)}
    size = next(n for n in count(7) if n not in taken)
    marked, clean = run_merge_file(texts, size, "--zdiff3", names)
    if not clean:
        line = next(b"\x1e" * n for n in count(1) if b"\x1e" * n not in together) + b"\n"
        apart = merge_apart(texts, line, size)
    return (marked, clean) if clean or apart is None else (apart, True)


def merge_apart(texts, line, size):
    """Merge texts with a `line` between all lines; return the result, None if it isn't clean.

    So each side can change lines next to those that the other changes. What one inserts right
    before a changed line is apart from it only if the lines go from the last to the first.
    """
    spread = [line.join(part + b"\n" for part in text.split(b"\n")) for text in texts]
    merged, _ = run_merge_file(spread, size, "--diff3")
    marks = b"(.*?)".join(rb"^%s{%d}(?: \w+)?\r?\n" % (re.escape(m), size) for m in MARKS)
    pieces = re.split(marks, merged, flags=re.MULTILINE | re.DOTALL)
    for at in range(1, len(pieces), 4):  # a conflict, ours, base and theirs, before what is clean
        turned = [turn(line + text + line) for text in pieces[at : at + 3]]
        text, clean = run_merge_file(turned, size, "--diff3")
        if not clean:
            return None
        pieces[at : at + 3] = [turn(text), b"", b""]
    parts = io.BytesIO(b"".join(pieces)).readlines()
    merged = b"".join(part for part in parts if part != line)[:-1]
    return merged if all(is_in_order(merged, text) for text in (texts[0], texts[2])) else None


def is_in_order(merged, text):
    """Return whether lines that both have once follow each other as in the text.

    They don't where a line `between` was matched rather than a line of the text.
    """
    both = [part.split(b"\n") for part in (merged, text)]
    counts = [Counter(lines) for lines in both]
    once = {line for line in counts[0] if counts[0][line] == counts[1][line] == 1}
    one, other = ([line for line in lines if line in once] for lines in both)
    return one == other


def turn(text):
    return b"".join(io.BytesIO(text).readlines()[::-1])


def run_merge_file(texts, size, style, names=("ours", "theirs")):
    """Merge ours, base and theirs as git does; return the result and whether it is clean."""
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder, name) for name in ("ours", "base", "theirs")]
        for file, text in zip(files, texts, strict=True):
            file.write_bytes(text)
        labels = ["-L", names[0], "-L", "before", "-L", names[1]]
        command = ["git", "merge-file", "--stdout", style, f"--marker-size={size}"]
        run = subprocess.run([*command, *labels, *files], capture_output=True)
    if not 0 <= run.returncode < 128:  # it is the number of conflicts, up to 127
        raise OSError(run.stderr.decode(errors="replace"))
    return run.stdout, run.returncode == 0


def find_size(content, name):
    """Return how long the markers of conflicts with that name are, 0 if there are none."""
    found = re.search(rb"^(<{7,}) %s\r?$" % re.escape(os.fsencode(name)), content, re.MULTILINE)
    return len(found[1]) if found else 0


def find_marks(content, size):
    """Give the number of the first line of each conflict between markers of that size."""
    inside = False
    for number, line in enumerate(io.BytesIO(content).readlines(), 1):
        found = MARK.match(line)
        if found and len(found[0]) == size:
            if not inside:
                yield number
            inside = found[1] != b">"


def main(ours, base, theirs, *names):
    """Merge files into the first of them, as git asks it of a driver; return the exit status."""
    versions = [Path(file).read_bytes() for file in (base, ours, theirs)]
    merged, clean = merge_texts(*versions, names)
    Path(ours).write_bytes(merged)
    return 0 if clean else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
