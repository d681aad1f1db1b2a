"""A run: clients talk while faults happen; then everything recovers and is judged."""

import asyncio
import random
import time
from collections import Counter, defaultdict
from contextlib import asynccontextmanager

from .client import Client, Ledger
from .judge import judge

CLIENTS, TALKERS = 8, 4
BURST = 200  # messages; the channel layer keeps 100 for a channel
REDIS_DOWN, NOT_READING = 1, 5  # seconds
DEADLINE = 300  # seconds for all clients to receive everything


class Run:
    """Clients, and what happens to them on a Site; `options` are those of the command line."""

    def __init__(self, options, site):
        self.options, self.site = options, site
        self.numbered = options.step >= 7
        # Step 6 joins with the latest 50 messages: at a low rate they would hide what it lost.
        self.rate = options.rate or (50 if self.numbered else 100)
        self.random = random.Random(options.seed)
        self.ledger, self.faults, self.clients = Ledger(), Counter(), []
        self.start, self.doing = time.monotonic(), "starting"
        self.locks = defaultdict(asyncio.Lock)  # a fault ends before the same one comes again

    async def run(self):
        """Start the servers, let clients talk while faults happen, and return the Verdict."""
        self.clients = self.create_clients(await self.site.start())
        background = [client.run() for client in self.clients]
        if self.numbered:
            sync_every = 5 if self.options.step == 7 else 15  # seconds at most
            background += [client.sync_regularly(sync_every) for client in self.clients]
        async with running(*background):
            self.doing = "no fault yet"
            talkers, rate = self.clients[:TALKERS], self.rate / TALKERS
            async with running(*(client.talk(rate) for client in talkers)):
                await self.cause_faults()
            self.doing = "waiting until everything has arrived"
            stored = await self.settle()
        return self.judge(stored)

    def create_clients(self, cookies):
        """Return the clients; neighbours are twins, of the same user on different servers."""
        addresses = [f"127.0.0.1:{port}" for port in self.site.servers]
        clients = [
            Client(
                f"client {n}",
                cookies[n // 2 % len(cookies)],
                addresses if n % 2 else addresses[::-1],
                self.ledger,
                self.options.seed,
                self.numbered,
            )
            for n in range(CLIENTS)
        ]
        for n, client in enumerate(clients):
            client.twin = clients[n ^ 1]
        return clients

    async def cause_faults(self):
        """Cause a fault every few seconds, in whole rounds: all kinds in random order."""
        kinds, end = self.kinds(), self.seconds() + self.options.minutes * 60
        async with asyncio.TaskGroup() as faults:
            while self.seconds() < end:
                for kind in self.random.sample(list(kinds), len(kinds)):
                    await asyncio.sleep(self.options.every)
                    faults.create_task(self.cause(kind, kinds[kind]))
            await asyncio.sleep(self.options.every)

    def kinds(self):
        """Return the faults, as functions by name."""
        site, reader = self.site, self.clients[-1]
        if self.options.flushall_only:
            return {"FLUSHALL": site.flush}
        return {
            "server 1 killed": lambda: site.restart(site.servers[0]),
            "server 2 killed": lambda: site.restart(site.servers[1]),
            "Redis killed": lambda: site.restart(site.redis, REDIS_DOWN),
            "FLUSHALL": site.flush,
            "burst": self.burst,
            "clients vanished": self.vanish,
            "reader stopped": lambda: reader.stop_reading(NOT_READING),
        }

    async def cause(self, kind, fault):
        async with self.locks[kind]:
            self.doing = kind
            self.faults[kind] += 1
            await fault()

    async def burst(self):
        for n in range(BURST):
            await self.clients[n % TALKERS].say()

    async def vanish(self):
        for client in self.random.sample(self.clients, CLIENTS // 2):
            client.vanish()

    async def settle(self):
        """Wait until nothing is received or stored any longer; return the stored frames."""
        stored = []
        while True:
            await self.until_quiet()
            before, stored = stored, await self.site.run_inside("stored")
            if self.is_complete() or len(stored) == len(before):
                return stored

    async def until_quiet(self):
        """Wait until all clients have everything, or until nothing has arrived for a while."""
        patience, start = 20 if self.numbered else 3, self.seconds()
        changed, arrived = start, self.arrived()
        while not self.is_complete():
            await asyncio.sleep(0.1)
            if self.arrived() != arrived:
                changed, arrived = self.seconds(), self.arrived()
            if self.seconds() > min(changed + patience, start + DEADLINE):
                return

    def arrived(self):
        return len(self.ledger.acked), self.received()

    def received(self):
        return sum(client.messages for client in self.clients)

    def is_complete(self):
        """Return whether all is acknowledged and delivered, which nobody knows in step 6."""
        sent = len(self.ledger.sent)
        complete = len(self.ledger.acked) == sent and all(c.last >= sent for c in self.clients)
        return self.numbered and complete

    def judge(self, stored):
        """Return the Verdict for the stored frames."""
        ledger, key = self.ledger, "seq" if self.numbered else "id"
        acked = ((seq, client_id) for client_id, seqs in ledger.acked.items() for seq in seqs)
        verdict = judge(
            set(ledger.sent.values()),
            {(seq, ledger.sent.get(client_id)) for seq, client_id in acked},
            sorted((frame[key], frame["message"]) for frame in stored),
            [client.log for client in self.clients],
            self.numbered,
        )
        verdict.reconnections, verdict.faults = self.reconnections(), self.faults
        verdict.closes, verdict.errors = ledger.closes, ledger.errors
        verdict.tracebacks = self.site.tracebacks()
        return verdict

    def reconnections(self):
        return sum(max(0, client.connections - 1) for client in self.clients)

    def seconds(self):
        return time.monotonic() - self.start

    def progress(self):
        """Return a line that says how far the run is."""
        return (
            f"{self.seconds():4.0f} s: sent {len(self.ledger.sent)}, received {self.received()}, "
            f"reconnections {self.reconnections()}, faults {self.faults.total()}; {self.doing}"
        )


@asynccontextmanager
async def running(*coroutines):
    """Run them as tasks; cancel them at the end."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(coroutine) for coroutine in coroutines]
        yield
        for task in tasks:
            task.cancel()
