"""What a server's memory does when many listen, and one never reads."""

import asyncio
import select
import socket
import time
from statistics import median

import psutil

from .client import Client
from .world import ROOM

SAMPLE_EVERY = 5  # seconds


class Listener(Client):
    """A client that keeps no list: only how far it is."""

    def take(self, frame):
        self.last = frame["seq"]
        self.ledger.progress += 1


class DeafReader:
    """Asks for everything that was ever said, and reads nothing but the end of the handshake."""

    def __init__(self, address, session):
        self.address, self.session = address, session
        self.dropped = 0

    async def run(self):
        """Be connected; until cancelled."""
        loop = asyncio.get_running_loop()
        host, port = self.address.split(":")
        while True:
            with socket.socket() as sock:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                sock.setblocking(False)
                try:
                    await loop.sock_connect(sock, (host, int(port)))
                    await loop.sock_sendall(sock, self.handshake())
                    await self.until_dropped(loop, sock)
                except OSError:
                    pass
            self.dropped += 1
            await asyncio.sleep(1)

    def handshake(self):
        lines = [
            f"GET /ws/chat/room/{ROOM}?after=0 HTTP/1.1",
            f"Host: {self.address}",
            f"Origin: http://{self.address}",
            f"Cookie: sessionid={self.session}",
            "Upgrade: websocket",
            "Connection: Upgrade",
            "Sec-WebSocket-Version: 13",
            "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
        ]
        return "\r\n".join([*lines, "", ""]).encode()

    async def until_dropped(self, loop, sock):
        """Return when the server has given up the connection, which shows without reading it."""
        answer = b""
        while not answer.endswith(b"\r\n\r\n"):
            byte = await loop.sock_recv(sock, 1)
            if not byte:
                return
            answer += byte
        poll = select.poll()
        poll.register(sock, select.POLLRDHUP)  # besides POLLERR and POLLHUP
        while True:
            await asyncio.sleep(1)
            if poll.poll(0):
                return


async def watch_memory(server, samples):
    """Add pairs of seconds and resident bytes of a server to `samples`; until cancelled."""
    process, start = psutil.Process(server.process.pid), time.monotonic()
    while True:
        samples.append((round(time.monotonic() - start, 1), process.memory_info().rss))
        await asyncio.sleep(SAMPLE_EVERY)


def quarters(samples):
    """Return the medians of the first and the last quarter, and the most, in MB."""
    sizes = [size / 1e6 for _, size in samples]
    quarter = max(1, len(sizes) // 4)
    return [round(n, 1) for n in (median(sizes[:quarter]), median(sizes[-quarter:]), max(sizes))]
