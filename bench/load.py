"""The load generator: a process of its own that opens WebSockets, sends, and counts what arrives.

It reads one plan, JSON, from its input and prints one result, JSON:

    python -m bench.load < plan.json

The plan has
- `rooms`: lists of members, each [url, headers]; the first `senders` of a room send (default: 1)
- `talking`: the number of rooms in which they send (default: all)
- `dialect`: "course" or "socketio"
- `acks`: whether the server acknowledges messages
- `window`: the number of messages that a sender may have under way; or `rate`: messages a second
- `warm_up` and `seconds`

Without `seconds` nothing is sent: the sockets are opened, `opening_at_once` of them at a time, and
each waits until it has the messages that it has `missed`, a number.

Before and after the measurement it prints "begin" and "end" and waits for a line, so that somebody
can read the servers' CPU times. An argument is the number of seconds to wait for the last messages,
in place of 20.
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
OPENING = 60  # seconds until a socket is open and has what it has missed
PATIENCE = float(sys.argv[1]) if sys.argv[1:] else 20
MESSAGE = re.compile(rb"#(\d+)\.(\d+)\.(\d+)#")  # its sender, its number, when it was sent
CLIENT_ID = re.compile(rb'"client_id": ?"([0-9a-f-]{36})"')
TYPE = re.compile(rb'"msg_type": ?"(\w+)"')
BYTES = struct.Struct("120xQQ")  # of Linux's struct tcp_info: bytes_acked and bytes_received


class Load:
    """What all clients of a run share: figures, and what is allowed now."""

    def __init__(self, plan):
        self.plan = plan
        self.begun = time.perf_counter_ns()
        self.window = plan.get("window")
        self.delays, self.ack_delays = array("d"), array("d")
        self.sent = self.acked = self.delivered = self.expected = 0
        self.problems = Counter()
        self.measuring = False


class Client(picows.WSListener):
    """A member of a room."""

    def __init__(self, load, room):
        self.load, self.room = load, room
        self.ready, self.closed, self.synced = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self.replayed = 0
        self.lost = ""  # the reason, if the server has closed it
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
        if found := MESSAGE.search(payload):
            self.receive_message(*map(int, found.groups()))
        else:
            self.receive_other(payload)

    def receive_message(self, sender, number, sent_at):
        if sent_at < self.load.begun:
            return  # history: the server has served another run before
        if number != self.last.get(sender, number - 1) + 1:
            self.load.problems["out of order"] += 1
        self.last[sender] = number
        self.room.count(sender, number)
        self.ready.set()
        if self.load.measuring and sent_at >= self.load.started:
            self.load.delivered += 1
            self.load.delays.append((time.perf_counter_ns() - sent_at) / 1e6)

    def receive_other(self, payload):
        found = TYPE.search(payload)
        match found and found[1]:
            case b"ack":
                self.room.count_ack(CLIENT_ID.search(payload)[1])
            case b"message":
                self.replayed += 1
            case b"synced":
                self.synced.set()
            case b"error":
                self.load.problems[payload.decode()[:100]] += 1

    def say(self, sender):
        """Send a message; return its number, its client_id and when it was sent, in ns."""
        self.number += 1
        client_id, now = str(uuid.uuid4()), time.perf_counter_ns()
        self.send({"message": f"#{sender}.{self.number}.{now}#", "client_id": client_id})
        return self.number, client_id.encode(), now

    def send(self, frame):
        self.transport.send(picows.WSMsgType.TEXT, json.dumps(frame).encode())

    async def join(self):
        """Do what the protocol asks for before the first message."""


class SocketIO(Client):
    """The same in the protocol of Socket.IO, over WebSocket from the start."""

    def __init__(self, load, room):
        super().__init__(load, room)
        self.joined = asyncio.Event()

    async def join(self):
        self.transport.send(picows.WSMsgType.TEXT, b"40")
        await self.joined.wait()  # a client that sends something earlier is closed

    def receive_other(self, payload):
        if payload.startswith(b"40"):
            self.joined.set()
        elif payload == b"2":  # a ping
            self.transport.send(picows.WSMsgType.TEXT, b"3")

    def send(self, frame):
        event = json.dumps(["message", frame])
        self.transport.send(picows.WSMsgType.TEXT, f"42{event}".encode())


class Room:
    """Counts who has received each of its messages, and which of them are acknowledged."""

    def __init__(self, load):
        self.load, self.members = load, []
        self.missing = {}  # members who lack a message, by its sender and number
        self.unacked = {}  # when a message was sent, by its client_id
        self.free = asyncio.Event()

    def is_ready(self):
        """Return whether each member has received a message."""
        return all(client.ready.is_set() for client in self.members)

    def say(self, sender):
        number, client_id, now = self.members[sender].say(sender)
        self.missing[sender, number] = len(self.members)
        if self.load.plan["acks"]:
            self.unacked[client_id] = now
        if self.load.measuring:
            self.load.sent += 1
            self.load.expected += len(self.members)

    def count(self, sender, number):
        """Count that one more member has a message."""
        key = sender, number
        left = self.missing.get(key, 0) - 1
        if left > 0:
            self.missing[key] = left
        elif left == 0:
            del self.missing[key]
            self.free.set()
        else:
            self.load.problems["came twice"] += 1

    def count_ack(self, client_id):
        sent_at = self.unacked.pop(client_id, None)
        if sent_at and self.load.measuring:
            self.load.acked += 1
            self.load.ack_delays.append((time.perf_counter_ns() - sent_at) / 1e6)
        if not self.unacked:
            self.free.set()

    def forget(self):
        """Forget what is under way."""
        self.missing.clear()
        self.unacked.clear()


async def connect(load, rooms):
    """Open all sockets; return the clients and the seconds that it took."""
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
            await client.join()
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
    """Send messages until each client has received one, then wait for all that is under way.

    Returns the number of clients that have received none within PATIENCE.
    """
    clients, pause = [client for room in rooms for client in room.members], 0.3
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(PATIENCE):
            while waiting := [room for room in rooms if not room.is_ready()]:
                for room in waiting:
                    room.forget()
                    room.say(0)
                await asyncio.sleep(pause)
                pause *= 2  # a slow server must not get more than it can send
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
                while room.missing or room.unacked:
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
    """Send `rate` messages a second in all, whatever has arrived: an open loop."""
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
    """Return the bytes that the open sockets have carried, both ways; None where TCP can't say."""
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


async def run(plan, mark):
    """Carry out a plan; return its figures.

    `await mark(word)` tells the process that has started this one where we are, and waits for its
    answer.
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
        await mark("begin")
        load.measuring, load.started = True, time.perf_counter_ns()
        used, carried = cpu(), count_bytes(clients)
        await send_for(load, rooms, plan["seconds"])
        await quiet(rooms)
        seconds = (time.perf_counter_ns() - load.started) / 1e9
        if unacked := sum(len(room.unacked) for room in rooms):
            load.problems["not acknowledged"] = unacked
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
    await mark("end")
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


def main(run):
    """Read a plan, carry it out and print its figures; `run` is a coroutine function as here."""
    plan = json.loads(sys.stdin.readline())

    def say(what):
        sys.stdout.write(json.dumps(what) + "\n")
        sys.stdout.flush()

    async def mark(word):
        say(word)
        await asyncio.to_thread(sys.stdin.readline)

    say(uvloop.run(run(plan, mark)))


if __name__ == "__main__":
    main(run)
