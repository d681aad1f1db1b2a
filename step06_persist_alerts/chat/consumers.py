"""The WebSocket side of the rooms."""

from channels.db import database_sync_to_async
from django.conf import settings

from alert.consumers import AlertConsumer
from alert.feeds import ring
from alert.posting import save_alert

from .frames import read_client_id, read_message


class ChatConsumer(AlertConsumer):
    """Save every message of a member of the room as an alert, which the feed then brings to all."""

    async def receive_message(self, content):
        message, client_id = read_message(content), read_client_id(content)
        save = database_sync_to_async(save_alert)
        alert, _ = await save(self.room, self.user, message, client_id)
        await self.send_json(
            {
                "msg_type": settings.MSG_TYPE_ACK,
                "client_id": content.get("client_id"),
                "seq": alert.seq,
            }
        )
        await ring(self.room, alert.seq)
