"""The poller: a process of its own whose clients ask step 1 for new alerts every two seconds.

It reads one plan, JSON, from its input and prints one result, as bench.load does:

    python -m bench.polls < plan.json

The plan has `port`; `cookies`, one for each client; `every`, the seconds between two alerts, which
the first client posts; and `seconds`.
"""

import asyncio
import contextlib
import json
import re
import time

from bench.load import cpu, main, percentiles

INTERVAL = 2  # seconds, as in step 1's page
PATIENCE = 20  # seconds until all have seen the last alert
TOKEN = "a" * 32  # for CSRF: cookie and header have to be the same
LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
HEADERS = """\
Host: 127.0.0.1:{port}\r
Connection: keep-alive\r
User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) \
Chrome/140.0.0.0 Safari/537.36\r
Accept: */*\r
Sec-Fetch-Site: same-origin\r
Sec-Fetch-Mode: cors\r
Sec-Fetch-Dest: empty\r
Referer: http://127.0.0.1:{port}/chat/room/1/\r
Accept-Encoding: gzip, deflate, br, zstd\r
Accept-Language: en-US,en;q=0.9\r
Cookie: csrftoken={token}; {cookie}\r
"""


class Client:
    """A page: it reuses its connection as long as the server lets it."""

    def __init__(self, port, cookie, polled):
        self.port, self.polled = port, polled
        self.headers = HEADERS.format(port=port, token=TOKEN, cookie=cookie)
        self.reader = None
        self.last_id = self.requests = self.bytes = 0
        self.delays = []

    async def request(self, method, path, headers="", body=b""):
        """Send a request and return the body of its answer."""
        data = f"{method} {path} HTTP/1.1\r\n{self.headers}{headers}\r\n".encode() + body
        if self.reader is None:
            self.reader, self.writer = await asyncio.open_connection("127.0.0.1", self.port)
        self.writer.write(data)
        head = await self.reader.readuntil(b"\r\n\r\n")
        answer = await self.reader.readexactly(int(LENGTH.search(head)[1]))
        if not head.startswith((b"HTTP/1.1 20", b"HTTP/1.0 20")):
            raise OSError(f"{method} {path}: {head[:80]}")
        if b"connection: close" in head.lower():
            self.writer.close()
            self.reader = None
        self.requests += 1
        self.bytes += len(data) + len(head) + len(answer)
        return answer

    async def poll(self):
        for alert in json.loads(await self.request("GET", f"/alert/latest/?after={self.last_id}"))[
            "alerts"
        ]:
            self.last_id = alert["id"]
            self.delays.append((time.perf_counter_ns() - int(alert["content"])) / 1e6)

    async def poll_forever(self, pause):
        await asyncio.sleep(pause)
        while True:
            await self.poll()
            self.polled.set()
            await asyncio.sleep(INTERVAL)

    async def post(self):
        body = f"content={time.perf_counter_ns()}".encode()
        headers = f"X-CSRFToken: {TOKEN}\r\nContent-Length: {len(body)}\r\n"
        headers += "Content-Type: application/x-www-form-urlencoded\r\n"
        await self.request("POST", "/alert/", headers, body)


async def run(plan, mark):
    """Carry out a plan; return its figures."""
    polled = asyncio.Event()
    clients = [Client(plan["port"], cookie, polled) for cookie in plan["cookies"]]
    author = Client(plan["port"], plan["cookies"][0], polled)
    for client in clients:
        await client.poll()  # the first one opens the connection
        client.requests = client.bytes = 0
    await mark("begin")
    begun, used = time.perf_counter(), cpu()
    pauses = [INTERVAL * number / len(clients) for number in range(len(clients))]
    tasks = [
        asyncio.create_task(client.poll_forever(pause))
        for client, pause in zip(clients, pauses, strict=True)
    ]
    sent = 0
    while time.perf_counter() - begun < plan["seconds"]:
        await author.post()
        sent += 1
        await asyncio.sleep(max(0, begun + sent * plan["every"] - time.perf_counter()))
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(PATIENCE):
            while any(len(client.delays) < sent for client in clients):
                polled.clear()
                await polled.wait()
    seconds = time.perf_counter() - begun
    await mark("end")
    broken = sum(task.done() for task in tasks)
    for task in tasks:
        task.cancel()
    return {
        "seconds": seconds,
        "sent": sent,
        "expected": sent * len(clients),
        "delivered": sum(len(client.delays) for client in clients),
        "requests": sum(client.requests for client in clients),
        "bytes": sum(client.bytes for client in clients),
        "generator_cpu": (cpu() - used) / seconds,
        "delay": percentiles([delay for client in clients for delay in client.delays]),
        "problems": {"stopped polling": broken} if broken else {},
    }


if __name__ == "__main__":
    main(run)
