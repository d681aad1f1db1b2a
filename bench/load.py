"""The load generator: a process of its own that opens WebSockets, sends, counts and takes times.

It reads one plan, JSON, from its input and prints one result, JSON:

    python -m bench.load < plan.json

The plan has `rooms`, lists of members, which are [url, headers], and of which the first `senders`
send; `talking`, in how many of the rooms; `dialect`, "course" or "socketio"; `window`, how many
messages of a sender may be under way, or `rate`, messages a second in all; `warm_up` and `seconds`;
`acks`, whether the server acks. Without `seconds` nothing is sent: sockets are opened, so many
`opening_at_once`, and each gets what it has `missed`, a number of messages.

Before and after it measures it prints "begin" and "end", and waits for a line. An argument says how
many seconds it waits for what is still under way in the end, instead of 20.
"""

import asyncio
import contextlib
import json
import os
import re
import resource
import socket
import struct
import sys
import time
import uuid
from array import array
from collections import Counter

import picows
import uvloop

OPENING_AT_ONCE = 20
OPENING = 60  # seconds that a socket may take to open and to get what it has missed
PATIENCE = float(sys.argv[1]) if sys.argv[1:] else 20
MESSAGE = re.compile(rb"#(\d+)\.(\d+)\.(\d+)#")  # its sender, its number, when it was sent
BYTES = struct.Struct("120xQQ")  # of Linux's struct tcp_info: bytes_acked and bytes_received
ACK = re.compile(rb'"client_id": ?"[0-9a-f-]{24}(\w{12})"')


class Load:
    """What all clients of a run have in common: figures, and who may send."""

    def __init__(self, plan):
        self.plan = plan
        self.window = plan.get("window")
        self.delays, self.ack_delays = array("d"), array("d")
        self.sent = self.acked = self.delivered = self.expected = 0
        self.problems = Counter()
        self.measuring = False
        self.open = set()  # messages under way, as (sender, number)


class Client(picows.WSListener):
    """A member of a room."""

    def __init__(self, load, room):
        self.load, self.room = load, room
        self.ready, self.closed, self.synced = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self.replayed = 0
        self.lost = ""  # how, if the server has closed it
        self.last = {}  # the number of the newest message, by sender
        self.number = 0

    def on_ws_connected(self, transport):
        self.transport = transport

    def on_ws_disconnected(self, transport):
        if not self.closed.is_set():
            self.lost = self.lost or "closed"

    def on_ws_frame(self, transport, frame):
        if frame.msg_type is not picows.WSMsgType.TEXT:
            if frame.msg_type is picows.WSMsgType.CLOSE:
                self.lost = f"closed with {frame.get_close_code()}"
                transport.disconnect()
            return
        payload = frame.get_payload_as_bytes()
        found = MESSAGE.search(payload)
        if found:
            self.take(*map(int, found.groups()))
        else:
            self.hear(payload)

    def take(self, sender, number, sent_at):
        """Count a message."""
        if number != self.last.get(sender, number - 1) + 1:
            self.load.problems["out of order"] += 1
        self.last[sender] = number
        self.room.arrived(sender, number)
        self.ready.set()
        if self.load.measuring and sent_at >= self.load.started:
            self.load.delivered += 1
            self.load.delays.append((time.perf_counter_ns() - sent_at) / 1e6)

    def hear(self, payload):
        """Take a frame that is no message."""
        ack = ACK.search(payload)
        if ack:
            self.room.acked(int(ack[1], 16))
        elif b'"msg_type": "message"' in payload:
            self.replayed += 1
        elif b'"synced"' in payload:
            self.synced.set()
        elif b'"error"' in payload:
            self.load.problems[payload.decode()[:100]] += 1

    def say(self, sender):
        """Send a message; return its number and when it was sent, in ns."""
        self.number += 1
        now = time.perf_counter_ns()
        self.send(f"#{sender}.{self.number}.{now}#", uuid.UUID(int=self.number))
        return self.number, now

    def send(self, text, client_id):
        frame = {"message": text}
        if self.load.plan.get("acks"):
            frame["client_id"] = str(client_id)
        self.transport.send(picows.WSMsgType.TEXT, json.dumps(frame).encode())

    async def greet(self):
        """Do what has to be done before messages."""


class SocketIO(Client):
    """The same in the protocol of Socket.IO, over WebSocket from the start."""

    def __init__(self, load, room):
        super().__init__(load, room)
        self.greeted = asyncio.Event()

    async def greet(self):
        self.transport.send(picows.WSMsgType.TEXT, b"40")
        await self.greeted.wait()  # who sends something before that is closed

    def hear(self, payload):
        if payload.startswith(b"40"):
            self.greeted.set()
        elif payload == b"2":  # are you there?
            self.transport.send(picows.WSMsgType.TEXT, b"3")

    def send(self, text, client_id):
        event = json.dumps(["message", {"message": text}])
        self.transport.send(picows.WSMsgType.TEXT, f"42{event}".encode())


class Room:
    """Knows of each of its messages how many members have it by now."""

    def __init__(self, load):
        self.load, self.members, self.missing = load, [], {}
        self.free, self.sent_at = asyncio.Event(), {}

    def say(self, sender):
        number, now = self.members[sender].say(sender)
        self.missing[sender, number] = len(self.members)
        if self.load.measuring:
            self.load.sent += 1
            self.load.expected += len(self.members)
            self.sent_at[number] = now

    def arrived(self, sender, number):
        key = sender, number
        left = self.missing.get(key, 0) - 1
        if left > 0:
            self.missing[key] = left
        elif left == 0:
            del self.missing[key]
            self.free.set()
        else:
            self.load.problems["came twice"] += 1

    def acked(self, number):
        self.load.acked += self.load.measuring
        if sent_at := self.sent_at.pop(number, None):
            self.load.ack_delays.append((time.perf_counter_ns() - sent_at) / 1e6)


async def connect(load, rooms):
    """Open all sockets; return the clients and how long that has taken, in seconds."""
    plan, clients = load.plan, []
    kind = {"course": Client, "socketio": SocketIO}[plan["dialect"]]
    limit = asyncio.Semaphore(plan.get("opening_at_once", OPENING_AT_ONCE))

    async def open_one(url, headers, room):
        async with limit, asyncio.timeout(OPENING):
            _, client = await picows.ws_connect(
                lambda: kind(load, room),
                url,
                extra_headers=headers,
                websocket_handshake_timeout=OPENING,
            )
            await client.greet()
            if plan.get("missed"):
                await client.synced.wait()
        return client

    begun = time.perf_counter()
    jobs = [
        (room, asyncio.create_task(open_one(*member, room)))
        for members, room in zip(plan["rooms"], rooms, strict=True)
        for member in members
    ]
    for room, job in jobs:
        client = await job
        room.members.append(client)
        clients.append(client)
    return clients, time.perf_counter() - begun


async def settle(rooms):
    """Send messages until everybody has got one, and then wait for all that is under way.

    Returns how many clients have got none within PATIENCE.
    """
    clients = [client for room in rooms for client in room.members]
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(PATIENCE):
            while not all(client.ready.is_set() for client in clients):
                for room in rooms:
                    room.missing.clear()
                    room.say(0)
                await asyncio.sleep(0.3)
            await quiet(rooms)
    for client in clients:
        client.last.clear()
    for room in rooms:
        room.load.problems.clear()
    return sum(not client.ready.is_set() for client in clients)


async def quiet(rooms):
    """Wait until nothing is under way; give up after PATIENCE."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(PATIENCE):
            for room in rooms:
                while room.missing:
                    room.free.clear()
                    await room.free.wait()


async def send_in_turn(load, room, sender, until):
    """Keep `window` messages of a sender under way: a closed loop."""
    while time.perf_counter() < until:
        mine = sum(1 for key in room.missing if key[0] == sender)
        if mine < load.window:
            room.say(sender)
        else:
            room.free.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(max(0, until - time.perf_counter())):
                    await room.free.wait()


async def send_at_rate(load, pairs, until):
    """Send so many messages a second in all, whatever has arrived: an open loop."""
    due, turn = time.perf_counter(), 0
    while due < until:
        await asyncio.sleep(due - time.perf_counter())
        room, sender = pairs[turn % len(pairs)]
        room.say(sender)
        turn, due = turn + 1, due + 1 / load.plan["rate"]
    await asyncio.sleep(until - time.perf_counter())


async def send_for(load, rooms, seconds):
    until = time.perf_counter() + seconds
    pairs = [(room, sender) for room in rooms for sender in range(load.plan.get("senders", 1))]
    if load.window:
        await asyncio.gather(*(send_in_turn(load, *pair, until) for pair in pairs))
    else:
        await send_at_rate(load, pairs, until)


def count_bytes(clients):
    """Return how many bytes the open sockets have carried, both ways; None where TCP can't say."""
    if not hasattr(socket, "TCP_INFO"):
        return None
    total = 0
    for client in clients:
        if client.lost:
            continue
        number = client.transport.underlying_transport.get_extra_info("socket").fileno()
        with socket.socket(fileno=os.dup(number)) as same:
            info = same.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, BYTES.size)
        total += sum(BYTES.unpack(info))
    return total


def cpu():
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


async def run(plan, tell, hear):
    """Carry out a plan; return its figures.

    `tell` says a word to the process that has started this one, `hear` waits for its answer: so it
    can take the CPU times of the servers right before and after.
    """
    load = Load(plan)
    all_rooms = [Room(load) for _ in plan["rooms"]]
    rooms = all_rooms[: plan.get("talking")]
    clients, opening = await connect(load, all_rooms)
    figures = {"opening_seconds": opening}
    if not plan.get("seconds"):
        missed = plan.get("missed")
        figures["expected"] = len(clients) * (missed or 1)
        figures["delivered"] = sum(c.replayed for c in clients) if missed else len(clients)
    else:
        if left_out := await settle(rooms):
            load.problems["got no message"] = left_out
        await send_for(load, rooms, plan.get("warm_up", 1))
        await quiet(rooms)
        await asyncio.to_thread(tell, "begin")
        await asyncio.to_thread(hear)
        load.measuring, load.started = True, time.perf_counter_ns()
        used, carried = cpu(), count_bytes(clients)
        await send_for(load, rooms, plan["seconds"])
        await quiet(rooms)
        seconds = (time.perf_counter_ns() - load.started) / 1e9
        figures |= {
            "seconds": seconds,
            "sent": load.sent,
            "expected": load.expected,
            "delivered": load.delivered,
            "acked": load.acked,
            "bytes": carried and count_bytes(clients) - carried,
            "generator_cpu": (cpu() - used) / seconds,
            "delay": percentiles(load.delays),
            "ack_delay": percentiles(load.ack_delays),
        }
    await asyncio.to_thread(tell, "end")
    await asyncio.to_thread(hear)
    load.problems.update(client.lost for client in clients if client.lost)
    for client in clients:
        client.closed.set()
        client.transport.disconnect()
    return figures | {"problems": dict(load.problems)}


def percentiles(delays):
    """Return the median and the 99th percentile, in ms; None without any."""
    if not delays:
        return None
    delays = sorted(delays)
    return {name: delays[int(len(delays) * share)] for name, share in [("p50", 0.5), ("p99", 0.99)]}


def talk(run):
    """Read a plan, carry it out and print its figures; `run` is a coroutine function as here."""
    plan = json.loads(sys.stdin.readline())

    def tell(word):
        sys.stdout.write(json.dumps(word) + "\n")
        sys.stdout.flush()

    tell(uvloop.run(run(plan, tell, sys.stdin.readline)))


if __name__ == "__main__":
    talk(run)
