"""Real sockets for the tests, and frames as Python objects."""

import json
from contextlib import contextmanager

from websockets.sync.client import connect

from .servers import TIMEOUT


class Socket:
    """A real WebSocket that sends and receives JSON."""

    def __init__(self, connection):
        self.connection = connection

    def send(self, frame):
        """Send an object as JSON; text and bytes go as they are."""
        raw = frame if isinstance(frame, str | bytes) else json.dumps(frame)
        self.connection.send(raw)

    def receive(self, msg_type=None):
        """Return the next frame, of that type if one is given, whatever comes before it.

        Raises TimeoutError when nothing comes for TIMEOUT seconds.
        """
        while True:
            frame = json.loads(self.connection.recv(TIMEOUT))
            if msg_type is None or frame.get("msg_type") == msg_type:
                return frame

    def next_message(self):
        """Return the text of the next message."""
        return self.receive()["message"]

    def close(self):
        self.connection.close()


@contextmanager
def open_socket(server, path, cookie=None, **options):
    """Open a socket to `path` of `server`; `origin` is that server by default.

    Raises websockets.exceptions.InvalidStatus when the handshake is refused.
    """
    url = f"{server.replace('http', 'ws')}/{path}"
    headers = {"Cookie": cookie} if cookie else {}
    options = {"origin": server, "open_timeout": TIMEOUT, "proxy": None} | options
    with connect(url, additional_headers=headers, **options) as connection:
        yield Socket(connection)
