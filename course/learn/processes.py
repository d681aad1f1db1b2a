"""Child processes of which none is left behind, whatever ends the command that started them."""

import os
import signal
import subprocess
import threading
import time
from contextlib import suppress

from course.learn.output import copy_lines
from course.venv import environ

SIGNALS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT]
GRACE = 5  # seconds that a process has to end by itself
# Reads which process groups run, and ends the last it has read when nobody can write any more: we
# have ended by then, perhaps by kill -9.
GUARD = """
while read -r line; do groups=$line; done
[ "$groups" ] || exit 0
kill -s {signal} -- $groups; sleep {grace}; kill -s KILL -- $groups
"""


class Processes:
    """A context manager that ends, on leaving, all that was started through it.

    Inside it the `caught` signals raise nothing: they make `stopped` true, as the end of the parent
    process does. Children get the signal `first`, and SIGKILL when they haven't ended `grace`
    seconds later.
    """

    def __init__(self, first=signal.SIGTERM, grace=GRACE, caught=SIGNALS):
        self.first, self.grace, self.caught = first, grace, caught
        self.running = {}  # name -> process
        self.copiers = {}  # name -> thread that copies what the process prints
        self.signalled = False
        self.parent = os.getppid()

    def __enter__(self):
        self.handlers = {number: signal.signal(number, self.stop) for number in self.caught}
        script = GUARD.format(signal=self.first.name.removeprefix("SIG"), grace=self.grace)
        self.guard = subprocess.Popen(
            ["sh", "-c", script],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        return self

    def __exit__(self, *exception):
        self.end(*self.running)
        self.guard.communicate()
        for number, handler in self.handlers.items():
            signal.signal(number, handler)

    @property
    def stopped(self):
        return self.signalled or os.getppid() != self.parent

    def stop(self, number, frame):
        self.signalled = True

    def tell_guard(self):
        groups = " ".join(f"-{process.pid}" for process in self.running.values())
        with suppress(BrokenPipeError):
            self.guard.stdin.write(f"{groups}\n".encode())
            self.guard.stdin.flush()

    def start(self, name, command, cwd, label="", stdout=None, **variables):
        """Start a command under that name, in a process group of its own.

        What it prints goes to the file `stdout`; without one it is copied to our output, with
        `label` before each line. `variables` are added to its environment.
        """
        process = self.running[name] = subprocess.Popen(
            command,
            cwd=cwd,
            env=environ(**variables),
            stdin=subprocess.DEVNULL,
            stdout=stdout or subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        self.tell_guard()
        if not stdout:
            copy = threading.Thread(target=copy_lines, args=(process.stdout, label), daemon=True)
            self.copiers[name] = copy
            copy.start()
        return process

    def end(self, *names):
        """End the processes of those names, and what they have started; copy what they printed."""
        processes = [self.running[name] for name in names]
        for process in processes:
            signal_group(process, self.first)
        deadline = time.monotonic() + self.grace
        for process in processes:
            with suppress(subprocess.TimeoutExpired):
                process.wait(max(0, deadline - time.monotonic()))
            signal_group(process, signal.SIGKILL)
            process.wait()
        for name in names:
            self.running.pop(name)
            if name in self.copiers:
                self.copiers.pop(name).join(GRACE)
        self.tell_guard()

    def ended(self):
        """Return the name of a process that has ended, None while all of them run."""
        return next((name for name, it in self.running.items() if it.poll() is not None), None)

    def wait_until(self, condition):
        """Wait for the condition; return whether it came true before a stop or a process's end."""
        while not (self.stopped or self.ended()):
            if condition():
                return True
            time.sleep(0.05)
        return False


def signal_group(process, number):
    """Send a signal to the process and to all that it has started."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, number)
