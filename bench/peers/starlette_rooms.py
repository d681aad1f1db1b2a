"""A chat with Starlette: one process, its sockets in sets, one for each room."""

import json
from collections import defaultdict

from starlette.applications import Starlette
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocketDisconnect

rooms = defaultdict(set)


async def chat(socket):
    await socket.accept()
    members = rooms[socket.path_params["room"]]
    members.add(socket)
    try:
        async for text in socket.iter_text():
            frame = json.dumps({"message": json.loads(text)["message"]})
            for member in list(members):
                await member.send_text(frame)
    except WebSocketDisconnect:
        pass
    finally:
        members.discard(socket)


application = Starlette(routes=[WebSocketRoute("/ws/chat/room/{room:int}", chat)])
