"""asyncio and asgiref where there is one thread, as in a browser tab.

On a machine, `sync_to_async` runs a function in a thread, and `async_to_sync` runs a coroutine on a
loop in a thread. Here both run where they are called:

- `sync_to_async` calls the function at once. Until it returns, no event loop counts as running. So
  Django raises SynchronousOnlyOperation where it does on a machine: in code that is asynchronous.
- `async_to_sync` runs the coroutine on an event loop of its own, to its end.

install() overrides internals of asgiref and of Pyodide, so their versions are named here. The build
fails when it meets others.
"""

import asyncio
import functools
import sys
import time
from asyncio import events
from contextlib import contextmanager

from asgiref import sync

ASGIREF = "3.13.0"
PYODIDE = "314.0.7"


class NoFiles:
    """What an event loop waits for when it has no files or sockets: timers alone."""

    def select(self, timeout):
        """Wait `timeout` seconds; raise RuntimeError where it would be for ever."""
        if timeout is None:
            raise RuntimeError("This waits for a task of another event loop, so it would never end")
        time.sleep(timeout)
        return []

    def close(self):
        pass


class NestedLoop(asyncio.BaseEventLoop):
    """An event loop that runs to its end inside of another, without files or sockets."""

    def __init__(self):
        super().__init__()
        self._selector = NoFiles()

    def _process_events(self, event_list):
        pass

    def _write_to_self(self):
        pass


@contextmanager
def no_loop():
    """Run the block as if in a thread of its own: no event loop and no task is running."""
    loop = events._get_running_loop()
    task = asyncio.current_task() if loop else None
    if task:
        asyncio.tasks._leave_task(loop, task)
    events._set_running_loop(None)
    try:
        yield
    finally:
        events._set_running_loop(loop)
        if task:
            asyncio.tasks._enter_task(loop, task)


async def call_sync(self, *args, **kwargs):
    """What SyncToAsync.__call__ is in a tab."""
    loop = asyncio.get_running_loop()
    run = self.context.run if self.context else lambda call: call()
    call = functools.partial(self.func, *args, **kwargs)
    with no_loop():  # thread_handler is where Channels closes old database connections
        return self.thread_handler(loop, sys.exc_info(), [], run, call)


def run_async(self, *args, **kwargs):
    """What AsyncToSync.__call__ is in a tab."""
    if events._get_running_loop():
        raise RuntimeError(
            "You cannot use AsyncToSync in the same thread as an async event loop - "
            "just await the async function directly."
        )
    loop = NestedLoop()
    try:
        return loop.run_until_complete(self.awaitable(*args, **kwargs))
    finally:
        loop.close()


def install():
    """Replace both calls of asgiref, and let time.sleep() block as it does on a machine."""
    try:
        from pyodide import webloop
    except ImportError:  # on a machine
        pass
    else:
        time.sleep = webloop._orig_sleep
    sync.SyncToAsync.__call__ = call_sync
    sync.AsyncToSync.__call__ = run_async
