"""A chat with nothing but `websockets`: what is possible in Python. Its argument is the port."""

import asyncio
import json
import sys
from collections import defaultdict

import uvloop
from websockets.asyncio.server import broadcast, serve

rooms = defaultdict(set)


async def chat(socket):
    members = rooms[socket.request.path]
    members.add(socket)
    try:
        async for text in socket:
            broadcast(members, json.dumps({"message": json.loads(text)["message"]}))
    finally:
        members.discard(socket)


async def main(port):
    async with serve(chat, "127.0.0.1", port):
        await asyncio.Future()


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1])))
