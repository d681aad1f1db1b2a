"""A proxy that counts the bytes between a browser and a server."""

import asyncio
from collections import Counter
from contextlib import asynccontextmanager
from urllib.parse import urlsplit


@asynccontextmanager
async def count_bytes(url):
    """Forward connections to the server at that address; yield the proxy's address and its count.

    The count has the bytes of all connections so far, under "sent" and "received".
    """
    server = urlsplit(url)
    counted = Counter()

    async def forward(reader, writer, direction):
        while data := await reader.read(65_536):
            counted[direction] += len(data)
            writer.write(data)
            await writer.drain()
        writer.close()

    async def accept(reader, writer):
        upstream = await asyncio.open_connection(server.hostname, server.port)
        await asyncio.gather(
            forward(reader, upstream[1], "sent"),
            forward(upstream[0], writer, "received"),
            return_exceptions=True,
        )

    proxy = await asyncio.start_server(accept, "127.0.0.1", 0)
    yield f"http://127.0.0.1:{proxy.sockets[0].getsockname()[1]}", counted
    proxy.close()
