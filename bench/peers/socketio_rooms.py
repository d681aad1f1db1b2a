"""A chat with python-socketio; with REDIS_URL its messages go through Redis."""

import os
from urllib.parse import parse_qs

import socketio

url = os.environ.get("REDIS_URL")
manager = socketio.AsyncRedisManager(url) if url else None
server = socketio.AsyncServer(async_mode="asgi", client_manager=manager)
application = socketio.ASGIApp(server)


@server.event
async def connect(sid, environ):
    room = parse_qs(environ["QUERY_STRING"])["room"][0]
    await server.save_session(sid, room)
    await server.enter_room(sid, room)


@server.event
async def message(sid, data):
    room = await server.get_session(sid)
    await server.emit("message", {"message": data["message"]}, room=room)
