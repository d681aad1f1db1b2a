"""A step's tests in a browser tab.

A tab has no threads, no network and no other processes. A test that needs one is skipped, with the
reason. Sockets reach the server without a network: see tab_sockets.
"""

import asyncio
import importlib
import io
import os
import socket
import subprocess
import sys
import threading
import traceback
from contextlib import contextmanager, nullcontext, redirect_stderr, redirect_stdout
from unittest import mock

# Modules that are imported along with others, and not used here.
UNUSED = ["channels_redis.core", "daphne.management.commands.runserver", "daphne.testing"]
WEBSOCKETS = ["websockets", "websockets.exceptions", "websockets.sync.client"]
# What a tab doesn't have, by the module or the fixture that needs it.
MODULES = {"test_asgi": "Daphne", "test_redis": "Redis"}
FIXTURES = {"browser": "a browser", "second_server": "another server", "new_log": "a server's log"}
TIMEOUT = "5"  # seconds that a test waits for a frame
ADDRESS = "http://127.0.0.1:8000"  # of no server: see tab_sockets


def run(folder, new=(), tell=print):
    """Run the tests in a folder, the `new` ones first, until one fails; return what came out.

    That is a dict as course.learn.trial.run_tests() returns it, with "needs": what the skipped
    tests need, by module. `tell` is called with a line for each test.
    """
    with in_new_process(folder):
        import no_threads
        import pytest
        import tab_sockets

        no_threads.install()
        sys.modules |= dict.fromkeys(WEBSOCKETS, tab_sockets)
        sys.modules |= dict.fromkeys(UNUSED, mock.MagicMock())
        recorder, printed = Recorder(new, tell), io.StringIO()
        options = ["-q", "-x", "--tb=short", "--capture=sys", "--ds=tab_test_settings"]
        options += ["-p", "no:cacheprovider", "-p", "no:faulthandler"]
        with (
            no_threads.no_loop(),
            mock.patch.object(asyncio.events, "new_event_loop", no_threads.NestedLoop),
            redirect_stdout(printed),
            redirect_stderr(printed),
        ):
            try:
                status = pytest.main(options, [recorder])
            except Exception:  # such as an error in the settings
                status = pytest.ExitCode.INTERNAL_ERROR
                traceback.print_exc()
    outcome = recorder.outcome
    if status and not outcome["failed"]:
        outcome["failed"] = 1
        outcome["failures"].append({"test": "", "says": printed.getvalue()})
    if outcome["failed"]:
        outcome["logs"] = (printed.getvalue() + outcome["logs"]).replace(f"{folder}/", "")
    return outcome


class Recorder:
    """A pytest plugin that collects what came out."""

    def __init__(self, new, tell):
        self.new, self.tell = new, tell
        self.outcome = {"passed": 0, "failed": 0, "skipped": 0, "total": 0, "all": False}
        self.outcome |= {"failures": [], "logs": "", "needs": {}}
        self.skipped = set()

    def pytest_collection_modifyitems(self, items):
        import pytest

        items.sort(key=lambda item: item.nodeid.partition("[")[0] not in self.new)
        self.outcome["total"] = len(items)
        conftest = sys.modules["tests.conftest"]
        conftest.run_server = lambda log: nullcontext(ADDRESS)
        conftest.run_redis = lambda url: nullcontext()  # every test asks for it; see tab_layer
        for item in items:
            for what in find_missing(item):
                item.add_marker(pytest.mark.skip(f"needs {what}"))

    def pytest_collectreport(self, report):
        if report.failed:
            self.fail(report)

    def pytest_runtest_logreport(self, report):
        if report.failed:
            self.fail(report)
        elif report.skipped:
            self.skipped.add(report.nodeid)
            self.outcome["skipped"] = len(self.skipped)
            what = report.longrepr[2].removeprefix("Skipped: needs ")
            known = self.outcome["needs"].setdefault(report.nodeid.partition("::")[0], [])
            known += [] if what in known else [what]
        elif report.when == "call":
            self.outcome["passed"] += 1
            self.tell(f"{report.nodeid} passed")

    def fail(self, report):
        self.outcome["failed"] += 1
        self.outcome["failures"].append({"test": report.nodeid, "says": report.longreprtext})
        self.outcome["logs"] += "\n".join(["", *(text for _, text in report.sections)])
        self.tell(f"{report.nodeid} failed")


@contextmanager
def in_new_process(folder):
    """Run the block in a folder, nearly as a process of its own: it imports every package anew."""
    before, path, here = set(sys.modules), list(sys.path), os.getcwd()
    os.chdir(folder)
    importlib.invalidate_caches()
    environ = {"TAB_STATIC_URL": "/static/", "TEST_TIMEOUT": TIMEOUT}
    try:
        with (
            mock.patch.dict(os.environ, environ),
            mock.patch.object(sys, "dont_write_bytecode", True),
            mock.patch.object(subprocess, "Popen", skip("another process")),
            mock.patch.object(threading.Thread, "start", skip("a thread")),
            mock.patch.object(socket.socket, "connect", skip("a network")),
        ):
            yield
    finally:
        for name in set(sys.modules) - before:
            if name.partition(".")[0] not in sys.stdlib_module_names:
                del sys.modules[name]
        sys.path[:] = path
        os.chdir(here)


def find_missing(item):
    """Yield what a test needs and a tab doesn't have."""
    yield from (what for name, what in FIXTURES.items() if name in item.fixturenames)
    yield from (what for name, what in MODULES.items() if name == item.path.stem)


def skip(what):
    """Return a function that skips the test that calls it."""

    def skip_test(*args, **kwargs):
        import pytest

        pytest.skip(f"needs {what}")

    return skip_test
