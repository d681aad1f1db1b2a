"""Alerts: short messages that a user leaves for the others."""

from django.conf import settings
from django.core.validators import RegexValidator
from django.db import models

from chat.models import Room

MSG_TYPE_MESSAGE = "message"

PAGE_SIZE = 100  # alerts that one query returns at most


class AlertQuerySet(models.QuerySet):
    def after(self, room, number):
        """Return the alerts of the room with a seq above that number, oldest first, a page."""
        alerts = self.filter(room=room, seq__gt=number)
        return alerts.select_related("user").order_by("seq")[:PAGE_SIZE]


class Alert(models.Model):
    """What a user has said in a room, when, and its number there."""

    content = models.CharField(
        max_length=200,
        error_messages={"blank": "Write something first."},
        validators=[
            RegexValidator(r"\S", code="blank"),
            RegexValidator(
                r"[\x00\ud800-\udfff]",  # some databases reject them
                "Leave out NUL characters and lone surrogates.",
                inverse_match=True,
            ),
        ],
    )
    # Deleting a user must not leave holes in the numbers of a room.
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT)
    create_at = models.DateTimeField(auto_now_add=True)
    room = models.ForeignKey(Room, on_delete=models.CASCADE)
    seq = models.PositiveBigIntegerField()
    client_id = models.UUIDField(null=True)

    objects = AlertQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["room", "seq"], name="unique_seq"),
            models.UniqueConstraint(fields=["client_id", "room", "user"], name="unique_client_id"),
        ]

    def __str__(self):
        return self.content

    def as_frame(self):
        """Return the frame that clients get for this alert, ready for JSON."""
        return {
            "msg_type": MSG_TYPE_MESSAGE,
            "room_id": self.room_id,
            "seq": self.seq,
            "username": self.user.get_username(),
            "message": self.content,
            "create_at": self.create_at.isoformat(),
            "client_id": self.client_id and str(self.client_id),
        }
