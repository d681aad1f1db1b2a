"""The WebSocket side of the alerts."""

from chat.consumers import ChatConsumer
from chat.frames import FrameError


class AlertConsumer(ChatConsumer):
    """Send a member of the room its alerts, as the chat does, but take no messages."""

    async def receive_message(self, frame):
        raise FrameError("read_only", "Send messages to ws/chat/room/ instead.")
