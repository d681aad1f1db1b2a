"""What the steps' tests use of the package `websockets`, with the server in their own process."""

import asyncio
from contextlib import contextmanager
from types import SimpleNamespace

import no_threads
import tab_server

REFUSED = 403
NORMAL = 1000

connections = set()  # which are open
runners = []  # of the server, while a connection is open


class InvalidStatus(Exception):
    def __init__(self):
        super().__init__(f"server rejected WebSocket connection: HTTP {REFUSED}")
        self.response = SimpleNamespace(status_code=REFUSED)


class ConnectionClosed(Exception):
    def __init__(self, code):
        super().__init__(f"received {code}")
        self.rcvd = SimpleNamespace(code=code)


def run(coroutine):
    """Run a coroutine, and what the server does meanwhile, in the server's event loop."""
    if not runners:
        runners.append(asyncio.Runner(loop_factory=no_threads.NestedLoop))
    return runners[0].run(coroutine)


@contextmanager
def connect(url, additional_headers, origin, open_timeout, **options):
    """Open a WebSocket and yield the Connection; raise InvalidStatus if the server refuses it."""
    host, _, path = url.removeprefix("ws://").partition("/")
    headers = {"host": host, "origin": origin, **additional_headers}
    connection = run(open_connection(path, headers))
    connections.add(connection)
    try:
        kind, _ = connection.next_event(open_timeout)
        if kind == "close":
            raise InvalidStatus
        yield connection
    finally:
        connection.close()
        connections.remove(connection)
        if not connections:
            runners.pop().close()


async def open_connection(path, headers):
    from mychannels.routing import application

    path, _, query = path.partition("?")
    scope = {
        "type": "websocket",
        "path": f"/{path}",
        "raw_path": f"/{path}".encode(),
        "root_path": "",
        "scheme": "ws",
        "query_string": query.encode(),
        "headers": [(k.lower().encode(), v.encode()) for k, v in headers.items() if v],
        "client": tab_server.CLIENT,
        "subprotocols": [],
    }
    return Connection(application, scope)


class Connection:
    """A client's end of a WebSocket."""

    def __init__(self, application, scope):
        self.events = asyncio.Queue()
        self.socket = tab_server.Socket(application, scope, lambda *e: self.events.put_nowait(e))

    def next_event(self, timeout):
        return run(asyncio.wait_for(self.events.get(), timeout))

    def send(self, frame):
        self.socket.receive(frame)
        run(asyncio.sleep(0))

    def recv(self, timeout=None):
        """Return the next frame, text or bytes."""
        kind, value = self.next_event(timeout)
        if kind == "close":
            raise ConnectionClosed(value)
        return value

    def close(self):
        self.socket.leave(NORMAL)
        run(asyncio.wait([self.socket.task]))
