"""A channel layer that stands in for Redis between the servers of a tab."""

import asyncio
import base64
import json
import os

from channels.layers import InMemoryChannelLayer

WRITTEN_IN_PYTHON = 1 << 9  # Py_TPFLAGS_HEAPTYPE


class TabLayer(InMemoryChannelLayer):
    """The in-memory layer, whose groups reach the other servers of the tab."""

    def __init__(self, hosts=None, prefix=None, **options):
        super().__init__(**options)  # hosts and prefix are for Redis
        self.others, self.tasks = None, set()
        try:
            from js import BroadcastChannel
            from pyodide.ffi import create_proxy
        except ImportError:  # outside of a browser there are no others
            return
        self.others = BroadcastChannel.new(os.environ["TAB_STATIC_URL"])
        self.others.onmessage = create_proxy(self.deliver)

    def deliver(self, event):
        group, message = json.loads(event.data, object_hook=decode)
        task = asyncio.ensure_future(super().group_send(group, message))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def group_send(self, group, message):
        # What comes through Redis was serialized: a tuple is a list, and a datetime an error.
        text = json.dumps([group, message], default=encode)
        await super().group_send(*json.loads(text, object_hook=decode))
        if self.others:
            self.others.postMessage(text)


def encode(value):
    """Return bytes as JSON; raise TypeError, in the words of msgpack, for anything else."""
    if isinstance(value, bytes):
        return {"__bytes__": base64.b64encode(value).decode()}
    kind = type(value)
    module = "" if kind.__flags__ & WRITTEN_IN_PYTHON else f"{kind.__module__}."
    raise TypeError(f"can not serialize '{module}{kind.__name__}' object")


def decode(value):
    return base64.b64decode(value["__bytes__"]) if "__bytes__" in value else value
