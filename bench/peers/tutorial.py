"""A chat by the design of Channels' own tutorial: every socket joins the group of its room.

https://channels.readthedocs.io/en/stable/tutorial/part_3.html. LAYER in the environment names the
channel layer.
"""

import json
import os

import django
from channels.generic.websocket import AsyncWebsocketConsumer
from channels.routing import ProtocolTypeRouter, URLRouter
from django.conf import settings
from django.urls import path

LAYERS = {
    "memory": {"BACKEND": "channels.layers.InMemoryChannelLayer"},
    "core": {"BACKEND": "channels_redis.core.RedisChannelLayer"},
    "pubsub": {"BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer"},
}
layer = LAYERS[os.environ["LAYER"]]
if "REDIS_URL" in os.environ and os.environ["LAYER"] != "memory":
    layer["CONFIG"] = {"hosts": [os.environ["REDIS_URL"]]}
settings.configure(CHANNEL_LAYERS={"default": layer})
django.setup()


class ChatConsumer(AsyncWebsocketConsumer):
    async def connect(self):
        self.group = "room_{room}".format(**self.scope["url_route"]["kwargs"])
        await self.channel_layer.group_add(self.group, self.channel_name)
        await self.accept()

    async def receive(self, text_data):
        message = json.loads(text_data)["message"]
        await self.channel_layer.group_send(self.group, {"type": "say", "message": message})

    async def say(self, event):
        await self.send(text_data=json.dumps({"message": event["message"]}))

    async def disconnect(self, code):
        await self.channel_layer.group_discard(self.group, self.channel_name)


application = ProtocolTypeRouter(
    {"websocket": URLRouter([path("ws/chat/room/<int:room>", ChatConsumer.as_asgi())])}
)
