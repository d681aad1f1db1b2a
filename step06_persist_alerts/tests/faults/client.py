"""Clients that talk and listen as the page of the room does, and count what goes wrong."""

import asyncio
import json
import random
import socket
import time
from collections import Counter, defaultdict
from contextlib import suppress
from uuid import UUID

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus

from .judge import Message
from .world import ROOM

TWICE = 0.3  # of the messages are sent twice on purpose
RESEND_AFTER = 10  # seconds without any ack, in the same connection
MOST_UNACKED = 100
FIRST_PAUSE, LONGEST_PAUSE = 0.1, 2  # seconds between two tries to connect
OPEN_TIMEOUT = 30  # seconds
SYNC_EVERY = 5  # seconds, on average: nothing needs it, but people's pages may ask at any time


class Ledger:
    """What all clients together have sent and were told."""

    def __init__(self):
        self.sent = {}  # (username, text) by client_id
        self.acked = defaultdict(set)  # numbers by client_id
        self.closes, self.errors = Counter(), Counter()
        self.problems = []
        self.progress = 0  # goes up as long as something comes that was waited for


class Client:
    """Stays connected to one of two servers, and takes the messages 1, 2, 3, … and no other.

    What a connection brings has to be `?after=` + 1, + 2, … Whatever else comes is counted:

    - `out_of_order`: a number that isn't the one before + 1, in the same connection. Only the
      answer to `{"sync": n}` may step back, once, to n + 1; a `synced` with another number than
      that of the message before it counts too.
    - `twice`: a number that was taken before, while no `sync` is waiting for its answer.
    - `gaps`: times that a number was beyond the next one. It isn't taken; the client asks for what
      it lacks.

    A message that isn't acked is sent again, always with the same `client_id`.
    """

    hurry = False  # a slow reader is slow no more
    pause = FIRST_PAUSE
    sending = set()  # of all clients: tasks that nobody else holds

    def __init__(self, name, username, session, addresses, ledger, seed, slow=False):
        self.name, self.username, self.session = name, username, session
        self.addresses, self.ledger, self.slow = addresses, ledger, slow
        self.random = random.Random(f"{seed} {name}")
        self.address = addresses[0]
        self.socket, self.ready = None, False
        self.twin = self  # another socket of the same user
        self.taken, self.last = [], 0
        self.unacked = {}  # frames, by client_id
        self.heard = 0  # when the last ack came
        self.twice = self.out_of_order = self.gaps = self.reconnects = 0

    async def run(self):
        """Connect, listen, and connect again; until it is cancelled."""
        while True:
            try:
                async with await self.connect() as self.socket:
                    await self.listen()
            except InvalidStatus as error:
                self.note_close(f"HTTP {error.response.status_code}")
                self.go_elsewhere()
            except ConnectionClosed:
                self.note_close(self.socket.close_code)
                self.address = self.addresses[0]
            except (OSError, InvalidHandshake, EOFError):  # nobody there, or gone half-way
                self.go_elsewhere()
            finally:
                self.socket, self.ready = None, False
            self.reconnects += 1
            await asyncio.sleep(self.pause * self.random.uniform(0.5, 1))
            self.pause = min(self.pause * 2, LONGEST_PAUSE)

    async def connect(self):
        """Return a new connection that goes on where the last one has ended."""
        self.previous, self.asked, self.ready = self.last, None, False
        return await connect(
            f"ws://{self.address}/ws/chat/room/{ROOM}{self.query()}",
            origin=f"http://{self.address}",
            additional_headers={"Cookie": f"sessionid={self.session}"},
            sock=await self.small_socket() if self.slow else None,
            max_queue=1 if self.slow else 64,
            open_timeout=OPEN_TIMEOUT,
            close_timeout=2,
            ping_interval=None,
            compression=None,
            proxy=None,
        )

    def query(self):
        return f"?after={self.last}"

    async def small_socket(self):
        """Return a TCP connection that the server can't write much to in advance."""
        host, port = self.address.split(":")
        sock = socket.socket()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sock.setblocking(False)
        try:
            await asyncio.get_running_loop().sock_connect(sock, (host, int(port)))
        except BaseException:
            sock.close()
            raise
        return sock

    def go_elsewhere(self):
        """Try the other server next."""
        at_home = self.address == self.addresses[0]
        self.address = self.addresses[-1 if at_home else 0]

    def note_close(self, code):
        self.ledger.closes[f"{code}"] += 1
        if code in {4403, "HTTP 403"}:
            self.ledger.problems.append(f"{self.name} is a member and was refused ({code}).")

    def cut(self):
        """Be gone without a word."""
        if self.socket:
            self.socket.transport.abort()

    def go_home(self):
        """Go back to the first server, if it was away and left all the work to the other."""
        if self.address != self.addresses[0]:
            self.cut()

    async def listen(self):
        while True:
            self.receive(json.loads(await self.socket.recv()))
            if self.slow and not self.hurry and self.random.random() < 0.02:
                await asyncio.sleep(1)

    def receive(self, frame):
        match frame["msg_type"]:
            case "message":
                self.receive_message(frame)
            case "ack":
                self.receive_ack(frame)
            case "synced":
                self.receive_synced(frame["seq"])
            case "error":
                self.ledger.errors[frame["code"]] += 1

    def receive_message(self, frame):
        seq = frame["seq"]
        if not self.is_in_turn(seq):
            self.out_of_order += 1
        self.previous = seq
        if seq == self.last + 1:
            self.take(frame)
        elif seq > self.last:
            self.ask()
        elif self.asked is None:
            self.twice += 1

    def is_in_turn(self, seq):
        """Tell whether that number may come now."""
        if seq == self.previous + 1:
            return True
        if self.asked is None or self.answered or seq != self.asked + 1:
            return False
        self.answered = True
        return True

    def take(self, frame):
        self.taken.append(Message.of(frame))
        self.last = frame["seq"]
        self.ledger.progress += 1

    def ask(self):
        """Ask for what is missing, unless an answer is already on its way."""
        if self.asked is None:
            self.gaps += 1
            if self.ready:
                self.sync()

    def sync(self):
        self.asked, self.answered = self.last, False
        self.send_soon({"sync": self.last})

    def receive_synced(self, seq):
        if seq < self.last:
            self.ledger.problems.append(f"{self.name} has {self.last}, the server only {seq}.")
        elif seq != self.previous:
            self.out_of_order += 1
        self.asked = None
        if not self.ready:
            self.go_on()
        if seq > self.last:
            self.ask()

    def go_on(self):
        """Send what isn't acked: the connection is up to date."""
        self.pause, self.ready = FIRST_PAUSE, True
        self.send_unacked()

    def send_unacked(self):
        self.heard = time.monotonic()
        for frame in self.unacked.values():
            self.send_soon(frame)

    def receive_ack(self, frame):
        client_id = frame["client_id"]
        self.heard = time.monotonic()
        self.ledger.progress += 1
        self.ledger.acked[client_id].add(frame["seq"])
        self.unacked.pop(client_id, None)

    def has_all(self, count):
        """Tell whether it has that many messages."""
        return self.last == count

    async def talk(self, rate):
        """Say something, `rate` times a second on average; until it is cancelled.

        With too much that isn't acked it says no more: what is tested are faults, not overload.
        """
        while True:
            await asyncio.sleep(self.random.expovariate(rate))
            if len(self.unacked) < MOST_UNACKED:
                self.say()

    def say(self):
        client_id = str(UUID(int=self.random.getrandbits(128), version=4))
        text = f"{self.name} {len(self.ledger.sent)}"
        frame = {"message": text, "client_id": client_id}
        self.ledger.sent[client_id] = (self.username, text)
        self.unacked[client_id] = frame
        self.send_soon(frame)
        if self.random.random() < TWICE:
            self.random.choice([self, self.twin]).send_soon(frame)

    async def keep_on(self):
        """Send again what has waited too long for its ack, and ask at times; until cancelled."""
        while True:
            await asyncio.sleep(1)
            for client_id in [key for key in self.unacked if key in self.ledger.acked]:
                del self.unacked[client_id]  # the twin was told
            if not self.unacked:
                self.heard = time.monotonic()
            if time.monotonic() - self.heard > RESEND_AFTER:
                self.send_unacked()
            if self.ready and self.asked is None and self.random.random() < 1 / SYNC_EVERY:
                self.sync()

    def send_soon(self, frame):
        """Send it, if there is a connection that is up to date."""
        if self.ready:
            sending = asyncio.create_task(self.send(self.socket, json.dumps(frame)))
            self.sending.add(sending)
            sending.add_done_callback(self.sending.discard)

    async def send(self, socket, text):
        with suppress(ConnectionClosed):
            await socket.send(text)


class NaiveClient(Client):
    """Takes whatever comes: its server has neither `after` nor `sync`.

    `twice` and `out_of_order` count within one connection, which starts with the history.
    """

    def __init__(self, *args, **options):
        super().__init__(*args, **options)
        self.seen = set()

    def query(self):
        self.here, self.previous = set(), 0
        return ""

    def receive_message(self, frame):
        seq = frame["seq"]
        self.twice += seq in self.here
        self.out_of_order += seq < self.previous and seq not in self.here
        self.here.add(seq)
        self.previous = max(seq, self.previous)
        if seq not in self.seen:
            self.seen.add(seq)
            self.take(frame)

    def has_all(self, count):
        return len(self.taken) == count

    def sync(self):
        """Nobody would answer."""

    async def listen(self):
        self.go_on()
        await super().listen()
