"""Clients that talk and listen as the room's page does, and log what a judge has to know."""

import asyncio
import json
import random
import socket
from collections import Counter, defaultdict
from contextlib import suppress
from uuid import UUID

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus

from . import ROOM

TWICE = 0.3  # of the messages are sent twice
MOST_UNACKED = 100  # then a client waits: faults are tested here, not overload
FIRST_PAUSE, LONGEST_PAUSE = 0.1, 2  # seconds between two attempts to connect


class Ledger:
    """What all clients together sent and were told."""

    def __init__(self):
        self.sent = {}  # texts by client_id
        self.acked = defaultdict(set)  # numbers by client_id
        self.errors, self.closes = Counter(), Counter()  # by code


class Client:
    """A page that stays connected to one of the servers at `addresses`.

    `numbered`: the step numbers messages and acknowledges them (7+). `log` is what a judge reads:

        ("connect", after), ("message", number, text), ("sync", number), ("synced", number)
    """

    def __init__(self, name, cookie, addresses, ledger, seed, numbered):
        self.name, self.cookie, self.addresses = name, cookie, addresses
        self.ledger, self.numbered = ledger, numbered
        self.random = random.Random(f"{seed} {name}")
        self.twin = self  # another client of the same user
        self.socket, self.ready, self.syncing = None, False, False
        self.reading = asyncio.Event()
        self.reading.set()
        self.log, self.last = [], 0
        self.outbox = {}  # frames by client_id
        self.messages, self.connections, self.pause = 0, 0, FIRST_PAUSE

    async def run(self):
        """Connect, listen, and connect again, until cancelled."""
        address = self.addresses[0]
        while True:
            try:
                async with self.connect(address) as self.socket:
                    await self.listen()
            except InvalidStatus as error:
                self.ledger.closes[f"HTTP {error.response.status_code}"] += 1
            except (OSError, InvalidHandshake, EOFError):
                pass  # the server is down, or went down during the handshake
            self.socket, self.ready = None, False
            await asyncio.sleep(self.pause * self.random.uniform(0.5, 1))
            self.pause = min(self.pause * 2, LONGEST_PAUSE)
            address = self.random.choice(self.addresses)

    def connect(self, address):
        query = f"?after={self.last}" if self.numbered else ""
        return connect(
            f"ws://{address}/ws/chat/room/{ROOM}{query}",
            origin=f"http://{address}",
            additional_headers={"Cookie": self.cookie},
            sock=small_socket(address),
            open_timeout=30,
            close_timeout=2,
            ping_interval=None,
            compression=None,
            proxy=None,
        )

    async def listen(self):
        """Read until the connection is closed."""
        self.connections += 1
        self.syncing = False
        self.log.append(("connect", self.last))
        self.ready = not self.numbered
        with suppress(ConnectionClosed):
            while True:
                await self.reading.wait()
                await self.receive(json.loads(await self.socket.recv()))
        self.ledger.closes[f"{self.socket.close_code}"] += 1

    async def receive(self, frame):
        self.pause = FIRST_PAUSE
        match frame["msg_type"]:
            case "message":
                await self.receive_message(frame)
            case "ack":
                self.ledger.acked[frame["client_id"]].add(frame["seq"])
            case "synced":
                await self.receive_synced(frame["seq"])
            case "error":
                self.ledger.errors[frame["code"]] += 1

    async def receive_message(self, frame):
        number = frame["seq" if self.numbered else "id"]
        self.log.append(("message", number, frame["message"]))
        self.messages += 1
        if number == self.last + 1 or not self.numbered:
            self.last = number
        elif number > self.last:
            await self.sync()

    async def receive_synced(self, number):
        """Send again what isn't acknowledged, now that the connection is up to date."""
        self.log.append(("synced", number))
        self.syncing, self.ready = False, True
        for frame in self.unacked():
            await self.send(frame)

    def unacked(self):
        """Return the frames that nobody acknowledged; forget the others."""
        acked = self.ledger.acked
        self.outbox = {key: frame for key, frame in self.outbox.items() if key not in acked}
        return list(self.outbox.values())

    async def sync(self):
        """Ask for what is newer than our last message, unless an answer is on its way."""
        if self.ready and not self.syncing:
            self.syncing = True
            self.log.append(("sync", self.last))
            await self.send({"sync": self.last})

    async def sync_regularly(self, seconds):
        """Send `sync`, at most so many seconds after the last, until cancelled."""
        while True:
            await asyncio.sleep(seconds * self.random.uniform(0.5, 1))
            await self.sync()

    async def talk(self, rate):
        """Say something, `rate` times a second on average, until cancelled."""
        while True:
            await asyncio.sleep(self.random.expovariate(rate))
            if len(self.unacked()) < MOST_UNACKED:
                await self.say()

    async def say(self):
        """Send a new message, some of them twice; step 6's page sends none while unconnected."""
        if not (self.ready or self.numbered):
            return
        client_id = str(UUID(int=self.random.getrandbits(128), version=4))
        text = f"{self.name} {len(self.ledger.sent)}"
        self.ledger.sent[client_id] = text
        frame = {"message": text}
        if self.numbered:
            frame["client_id"] = client_id
            self.outbox[client_id] = frame
        await self.send(frame)
        if self.random.random() < TWICE:
            await self.random.choice([self, self.twin]).send(frame)

    async def send(self, frame):
        """Send a frame if there is a connection that is up to date."""
        if self.ready:
            with suppress(ConnectionClosed):
                await self.socket.send(json.dumps(frame))

    def vanish(self):
        """Drop the connection without closing it."""
        if self.socket:
            self.socket.transport.abort()

    async def stop_reading(self, seconds):
        self.reading.clear()
        await asyncio.sleep(seconds)
        self.reading.set()


def small_socket(address):
    """Return a TCP connection whose other end soon notices that nobody reads."""
    host, port = address.split(":")
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    try:
        sock.connect((host, int(port)))
    except OSError:
        sock.close()
        raise
    sock.setblocking(False)
    return sock
