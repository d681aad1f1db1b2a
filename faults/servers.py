"""A step as it is served: Redis and two Daphnes, with a database of the run's own."""

import asyncio
import json
import os
import random
import re
from contextlib import suppress
from itertools import islice

from course.errors import CourseError
from course.learn.ports import is_free, listens
from course.learn.redis import find_server
from course.venv import PYTHON

PORTS = range(15_000, 32_000)  # not for outgoing connections: a killed server finds its port free
PATIENCE = 120  # seconds for a program to start
# Daphne answers 403 to a handshake that took longer than its timeout.
DAPHNE = [PYTHON, "-m", "daphne", "--websocket_connect_timeout", "60", "--access-log", os.devnull]
SETTINGS = {
    "DJANGO_DEBUG": "false",  # otherwise Django keeps its latest queries in memory
    "DJANGO_SECRET_KEY": "for-servers-that-run-a-few-minutes-with-data-of-their-own",
    "DJANGO_ALLOWED_HOSTS": "127.0.0.1",
    "FRAMES_PER_SECOND": "1000000",
    "FRAMES_AT_ONCE": "1000000",
    "SOCKETS_PER_USER": "1000",
}
TRACEBACK = r"Traceback \(most recent call last\):(?:\n[ \t].*)*\n.*"
TRACEBACKS = re.compile(rf"{TRACEBACK}(?:\n\n.*\n\n{TRACEBACK})*")  # "During handling of ..."


class Site:
    """Redis and the servers of the step in the folder `step`, each known by its port.

    `processes` ends what is started here, `folder` gets the logs, and `variables` name the
    settings and the database.
    """

    def __init__(self, processes, step, folder, variables):
        self.processes, self.step, self.folder = processes, step, folder
        free = filter(is_free, random.sample(PORTS, 100))
        self.redis, *self.servers = islice(free, 3)
        self.variables = SETTINGS | variables | {"REDIS_URL": f"redis://127.0.0.1:{self.redis}/0"}

    async def start(self):
        """Start everything; return the Cookie header of each member of the room."""
        for port in [self.redis, *self.servers]:
            self.launch(port)
        cookies = await self.run_inside("prepare")
        for port in [self.redis, *self.servers]:
            await self.until_listening(port)
        return cookies

    async def run_inside(self, command):
        """Run a command of inside.py; return what it prints."""
        process = self.run(command, [PYTHON, "-m", "faults.inside", command])
        await until(lambda: process.poll() is not None)
        if process.returncode != 0:
            raise self.failure(command)
        return json.loads(self.read_log(command).splitlines()[-1])  # warnings may come first

    def launch(self, port):
        """Start the program of that port; it listens a little later."""
        if port == self.redis:
            program, _ = find_server()
            command = [program, "--bind", "127.0.0.1", "--port", f"{port}", "--dir", self.folder]
            command += ["--save", "", "--appendonly", "no"]
        else:
            command = [*DAPHNE, "-b", "127.0.0.1", "-p", f"{port}", "mychannels.asgi:application"]
        self.run(port, command)

    def run(self, name, command):
        with self.log(name).open("ab") as log:
            return self.processes.start(name, command, self.step, stdout=log, **self.variables)

    async def until_listening(self, port):
        """Wait for the program; raise CourseError if it doesn't start."""
        process = self.processes.running[port]
        await until(lambda: process.poll() is not None or listens(port))
        if process.poll() is not None or not listens(port):
            raise self.failure(port)

    async def restart(self, port, pause=0):
        """Kill the program with -9; start it again after a pause in seconds."""
        process = self.processes.running[port]
        process.kill()
        process.wait()
        await asyncio.sleep(pause)
        self.launch(port)
        await self.until_listening(port)

    async def flush(self):
        """Remove everything from Redis."""
        with suppress(OSError):  # it may have been killed
            reader, writer = await asyncio.open_connection("127.0.0.1", self.redis)
            writer.write(b"FLUSHALL\r\n")
            await reader.readline()
            writer.close()

    def log(self, name):
        return self.folder / f"{name}.log"

    def read_log(self, name):
        return self.log(name).read_text(errors="replace")

    def failure(self, name):
        said = self.read_log(name).strip().splitlines() or ["nothing"]
        return CourseError(f"{self.step.name} does not start; the last line it wrote: {said[-1]}")

    def tracebacks(self):
        """Return the tracebacks in the servers' logs that pass through the step's code."""
        return find_tracebacks("\n".join(map(self.read_log, self.servers)), self.step)


def find_tracebacks(log, folder):
    """Return the tracebacks in a log that have a line of a file in that folder."""
    return [found for found in TRACEBACKS.findall(log) if f'"{folder}/' in found]


async def until(condition):
    """Wait until the condition is true, for PATIENCE seconds at most."""
    for _ in range(PATIENCE * 20):
        if condition():
            return
        await asyncio.sleep(0.05)
