"""What servers print, copied to our output."""

import re
import sys
import time

POLL = re.compile(rb'GET /alert/latest/\?after=\S* (HTTP/1\.1" )?200 ')  # of runserver, of Daphne
PERIOD = 10  # seconds


def copy_lines(stream, label):
    """Copy what a server prints, as a stream of bytes, with a label before each line."""
    prefix = f"{label} | ".encode() if label else b""
    for line in without_polls(stream):
        sys.stdout.buffer.write(prefix + line)
        sys.stdout.buffer.flush()


def without_polls(lines, clock=time.monotonic):
    """Yield the lines, except those of polls that were answered with 200.

    Every PERIOD seconds a line gives their number; `clock` returns the time in seconds.
    """
    polls = 0
    for line in lines:
        if not POLL.search(line):
            yield line
            continue
        now = clock()
        if not polls:
            since = now
        polls += 1
        if now - since >= PERIOD:
            yield (
                f"{polls} polls in the last {now - since:.0f} seconds (GET /alert/latest/), "
                "all answered with 200\n"
            ).encode()
            polls = 0
