"""The naive twin of step 6: it saves a message and then broadcasts it, as most examples do."""

from channels.auth import AuthMiddlewareStack
from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncJsonWebsocketConsumer
from channels.routing import ProtocolTypeRouter, URLRouter
from django.urls import path

from mychannels.routing import application as step6

# isort: split
from alert.models import Alert
from alert.posting import save_alert


class NaiveConsumer(AsyncJsonWebsocketConsumer):
    async def connect(self):
        room_id = self.scope["url_route"]["kwargs"]["room_id"]
        self.room = await self.scope["user"].rooms_joined.aget(pk=room_id)
        await self.channel_layer.group_add(self.room.group_name, self.channel_name)
        await self.accept()
        newest = Alert.objects.filter(room=self.room).select_related("user").order_by("-seq")
        for alert in reversed([alert async for alert in newest[:50]]):
            await self.send_json(alert.as_frame())

    async def receive_json(self, content):
        save = database_sync_to_async(save_alert)
        message, client_id = content["message"], content["client_id"]
        alert, created = await save(self.room, self.scope["user"], message, client_id)
        await self.send_json({"msg_type": "ack", "client_id": client_id, "seq": alert.seq})
        if created:
            event = {"type": "chat.message", "frame": alert.as_frame()}
            await self.channel_layer.group_send(self.room.group_name, event)

    async def chat_message(self, event):
        await self.send_json(event["frame"])

    async def disconnect(self, code):
        await self.channel_layer.group_discard(self.room.group_name, self.channel_name)


websocket_urlpatterns = [path("ws/chat/room/<int:room_id>", NaiveConsumer.as_asgi())]
application = ProtocolTypeRouter(
    {
        "http": step6.application_mapping["http"],
        "websocket": AuthMiddlewareStack(URLRouter(websocket_urlpatterns)),
    }
)
