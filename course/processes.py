"""Child processes of which none is left behind, whatever ends the command that started them."""

import os
import signal
import subprocess
import threading
import time
from contextlib import suppress

from course.environment import clean_environ
from course.output import copy_lines

SIGNALS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]
GRACE = 5  # seconds that a process has to end by itself


class Processes:
    """A context manager that ends, on leaving, all that was started through it.

    Inside it SIGINT, SIGTERM and SIGHUP raise nothing: they make `stopped` true.
    """

    def __init__(self):
        self.running = {}  # name -> process
        self.copiers = {}  # name -> thread that copies what the process prints
        self.stopped = False

    def __enter__(self):
        self.handlers = {number: signal.signal(number, self.stop) for number in SIGNALS}
        return self

    def __exit__(self, *exception):
        self.end(*self.running)
        for number, handler in self.handlers.items():
            signal.signal(number, handler)

    def stop(self, number, frame):
        self.stopped = True

    def start(self, name, command, cwd, label="", stdout=None, **variables):
        """Start a command under that name, in a process group of its own.

        What it prints goes to the file `stdout`; without one it is copied to our output, with
        `label` before each line. `variables` are added to its environment.
        """
        process = self.running[name] = subprocess.Popen(
            command,
            cwd=cwd,
            env=clean_environ(**variables),
            stdin=subprocess.DEVNULL,
            stdout=stdout or subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        if not stdout:
            copy = threading.Thread(target=copy_lines, args=(process.stdout, label), daemon=True)
            self.copiers[name] = copy
            copy.start()
        return process

    def end(self, *names):
        """End the processes of those names, and what they have started; copy what they printed."""
        processes = [self.running.pop(name) for name in names]
        for process in processes:
            signal_group(process, signal.SIGTERM)
        deadline = time.monotonic() + GRACE
        for process in processes:
            with suppress(subprocess.TimeoutExpired):
                process.wait(max(0, deadline - time.monotonic()))
            signal_group(process, signal.SIGKILL)
            process.wait()
        for name in names:
            if name in self.copiers:
                self.copiers.pop(name).join(GRACE)

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
