"""A run: clients talk while one fault follows the other; then everything heals and is judged."""

import asyncio
import random
import time
from collections import Counter
from contextlib import asynccontextmanager
from dataclasses import dataclass

import psutil

from tests.servers import wait_until

from .client import Client, Ledger, NaiveClient
from .judge import Message, Result, judge
from .memory import DeafReader, Listener, watch_memory
from .world import USERS, open_world, read_stored

CLIENTS, SENDERS = 8, 4
OBEDIENCE = 10  # seconds that a server may take to end
QUIET, QUIET_NAIVE = 20, 3  # seconds; who promises nothing isn't waited for as long
DEADLINE = 600  # seconds in which all have to have everything, even if there is still progress
LAST_WORDS = 3
BLAMES = {"bad_json", "bad_frame", "blank", "too_long", "read_only"}  # errors of the client
KINDS = [
    "kill first server",
    "kill second server",
    "restart redis",
    "flush redis",
    "pause redis",
    "cut clients",
    "burst",
    "database away",
]


@dataclass
class Plan:
    """What a run is like: its length in seconds, one fault `every` so many, `rate` a second.

    A burst has so many messages; the channel layer keeps 100 for each of its channels.
    """

    database: str = "sqlite"
    consumer: str = "step6"
    seconds: float = 15
    seed: int = 1
    rate: float = 100
    every: float = 3
    sockets: int = 0
    burst: int = 300
    kinds: tuple = tuple(KINDS)
    environ: tuple = ()  # pairs, for the servers


def run(plan, report=None):
    """Run that plan and return the Result; `report` is called with a line each minute.

    Raises RuntimeError when a program can't be started, TimeoutError when it doesn't come up.
    """
    children = set(psutil.Process().children())
    result = Result(plan.consumer, plan.database, plan.seed)
    servers = 3 if plan.sockets else 2
    with open_world(plan.database, plan.consumer, servers, plan.environ) as world:
        asyncio.run(Traffic(world, plan, result, report).run())
        disobedient = [server.port for server in world.servers if not server.end(OBEDIENCE)]
        result.complain(disobedient, "{} servers did not end on SIGTERM")
        result.tracebacks = Counter(world.tracebacks())
    left = set(psutil.Process().children()) - children
    result.complain([process.name() for process in left], "{} processes are left over")
    return result


class Traffic:
    """All clients of a run, and the faults."""

    def __init__(self, world, plan, result, report):
        self.world, self.plan, self.result, self.report = world, plan, result, report
        self.random = random.Random(plan.seed)
        self.ledger = Ledger()
        self.locks = {}  # one fault at a time for each thing

    async def run(self):
        """Do all of it and fill in the result."""
        try:
            await self.live()
        finally:
            self.world.over.set()

    async def live(self):
        self.sessions = await asyncio.to_thread(self.world.prepare)
        self.clients, self.listeners = self.create_clients(), self.create_listeners()
        self.deaf = DeafReader(self.world.addresses[-1], self.sessions[USERS[0]])
        start = time.monotonic()
        resending = [client.keep_on() for client in self.clients[:SENDERS]]
        everybody = [client.run() for client in [*self.clients, *self.listeners]]
        async with running(*everybody, *resending):
            async with running(*self.steady_work()):
                await self.talk_and_fail()
            for client in self.clients:
                client.hurry = True
                client.go_home()
            await self.settle()
            self.result.seconds = round(time.monotonic() - start, 1)
            if self.plan.consumer == "step6":
                await self.say_last_words()
            self.judge(await self.read_stored())
        await self.check_nothing_is_left()

    def create_clients(self):
        both = self.world.addresses[:2]
        kind = NaiveClient if self.plan.consumer == "naive" else Client
        clients = []
        for n in range(CLIENTS):
            username, home = USERS[n // 2 % 2], n % 2
            clients.append(
                kind(
                    f"client {n}",
                    username,
                    self.sessions[username],
                    [both[home], both[1 - home]],
                    self.ledger,
                    self.plan.seed,
                    slow=n == CLIENTS - 1,
                )
            )
        for one, other in [(0, 1), (2, 3)]:  # the same user on two servers
            clients[one].twin, clients[other].twin = clients[other], clients[one]
        return clients

    def create_listeners(self):
        return [
            Listener(
                f"listener {n}",
                USERS[n % 2],
                self.sessions[USERS[n % 2]],
                self.world.addresses[2:],
                self.ledger,
                self.plan.seed,
            )
            for n in range(self.plan.sockets)
        ]

    def steady_work(self):
        """Return what goes on as long as there are faults."""
        rate = self.plan.rate / SENDERS
        work = [client.talk(rate) for client in self.clients[:SENDERS]]
        if self.plan.sockets:
            work.append(self.deaf.run())
            work.append(watch_memory(self.world.servers[2], self.result.memory))
        if self.report:
            work.append(self.report_each_minute())
        return work

    async def talk_and_fail(self):
        """Start one fault after the other, in random order, and no kind again before all others."""
        loop, deck = asyncio.get_running_loop(), []
        end = loop.time() + self.plan.seconds
        async with asyncio.TaskGroup() as faults:
            while loop.time() < end:
                await asyncio.sleep(min(self.plan.every, end - loop.time()))
                for client in self.clients:
                    client.go_home()
                deck = deck or self.random.sample(self.plan.kinds, len(self.plan.kinds))
                faults.create_task(self.fail(deck.pop()))

    async def fail(self, kind):
        """Let that happen; what happens to the same thing happens one after the other."""
        async with self.locks.setdefault(kind.split()[-1], asyncio.Lock()):
            self.result.faults[kind] += 1
            match kind:
                case "kill first server":
                    await asyncio.to_thread(self.world.kill_server, 0)
                case "kill second server":
                    await asyncio.to_thread(self.world.kill_server, 1)
                case "restart redis":
                    await asyncio.to_thread(self.world.restart_redis)
                case "flush redis":
                    await asyncio.to_thread(self.world.flush_redis)
                case "pause redis":
                    await asyncio.to_thread(self.world.pause_redis)
                case "cut clients":
                    for client in self.random.sample(self.clients, CLIENTS // 2):
                        client.cut()
                case "burst":
                    for n in range(self.plan.burst):
                        self.clients[n % SENDERS].say()
                case "database away":
                    await asyncio.to_thread(self.world.take_database_away)

    async def settle(self):
        """Wait until everybody has everything, or nothing new has come for a long while."""
        start = changed = time.monotonic()
        progress = self.ledger.progress
        while not self.is_settled():
            await asyncio.sleep(0.1)
            now = time.monotonic()
            if self.ledger.progress != progress:
                changed, progress = now, self.ledger.progress
            if now - changed > self.patience() or now - start > DEADLINE:
                return

    def patience(self):
        """Return after how many seconds without news nothing more is expected."""
        all_acked = len(self.ledger.acked) == len(self.ledger.sent)
        return QUIET_NAIVE if self.plan.consumer == "naive" and all_acked else QUIET

    def is_settled(self):
        sent = len(self.ledger.sent)
        everybody = [*self.clients, *self.listeners]
        return len(self.ledger.acked) == sent and all(c.has_all(sent) for c in everybody)

    async def read_stored(self):
        frames = await asyncio.to_thread(
            read_stored, self.world.addresses[0], self.sessions[USERS[0]]
        )
        return [Message.of(frame) for frame in frames]

    def judge(self, stored):
        """Fill in the result."""
        result, ledger = self.result, self.ledger
        lists = {client.name: client.taken for client in self.clients}
        judge(result, ledger.sent, ledger.acked, stored, lists)
        for client in self.listeners:
            result.deliveries += len(stored)
            result.lost += len(stored) - client.last
        behind = [client.name for client in self.listeners if client.last != len(stored)]
        result.complain(behind, "{} listeners lack messages")
        result.closes, result.errors = ledger.closes, ledger.errors
        for client in [*self.clients, *self.listeners]:
            result.gaps += client.gaps
            result.reconnects += client.reconnects
            result.twice += client.twice
            result.out_of_order += client.out_of_order
        result.dropped = self.deaf.dropped
        if result.twice:
            result.problems.append(f"{result.twice} messages were stored twice or came twice")
        if result.out_of_order:
            result.problems.append(f"{result.out_of_order} frames came out of order")
        blamed = {code: n for code, n in ledger.errors.items() if code in BLAMES}
        result.complain(list(Counter(blamed).elements()), "{} good frames were called bad")
        result.problems += sorted(set(ledger.problems))

    async def say_last_words(self):
        """Say something while Redis knows no feed: it has to arrive, and they have to come back."""
        for client in self.clients[:LAST_WORDS]:
            await asyncio.to_thread(self.world.flush_redis)
            client.say()
            await self.settle()
        used = {client.address for client in [*self.clients, *self.listeners]}
        problem = "A feed did not join its group again."
        await self.expect(lambda: self.world.group_members() >= len(used), problem)

    async def check_nothing_is_left(self):
        """With all clients gone, nothing of them may stay in the servers and in Redis."""
        for server in self.world.servers:
            await self.expect(
                lambda server=server: server.connections() == 0,
                f"A server still has connections: {server.log.name}",
            )
        if self.plan.consumer == "step6":
            problem = "A feed is still there without sockets."
            await self.expect(lambda: self.world.group_members() == 0, problem)

    async def expect(self, condition, problem):
        """Wait for the condition; if it never holds, that is a problem."""
        try:
            await asyncio.to_thread(wait_until, lambda: self.world.over.is_set() or condition())
        except TimeoutError:
            self.result.problems.append(problem)

    async def report_each_minute(self):
        minute = 0
        while True:
            await asyncio.sleep(60)
            minute += 1
            behind = len(self.ledger.acked) - min(client.last for client in self.clients)
            self.report(
                f"minute {minute}: {len(self.ledger.sent)} sent, {len(self.ledger.acked)} acked, "
                f"the last client is {behind} behind, {self.result.faults.total()} faults, "
                f"{sum(client.reconnects for client in self.clients)} reconnects"
            )


@asynccontextmanager
async def running(*coroutines):
    """Run them as tasks; cancel them in the end. An error of one of them ends it all."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(coroutine) for coroutine in coroutines]
        yield
        for task in tasks:
            task.cancel()
