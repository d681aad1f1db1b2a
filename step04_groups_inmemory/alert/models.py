"""Alerts: short messages that a user leaves for the others."""

from django.conf import settings
from django.core.validators import RegexValidator
from django.db import models


class Alert(models.Model):
    """What a user has said, and when."""

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
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE)
    create_at = models.DateTimeField(auto_now_add=True)

    def __str__(self):
        return self.content

    def as_dict(self):
        """Return what the page is told about this alert, ready for JSON."""
        return {
            "id": self.pk,
            "content": self.content,
            "user": self.user.get_username(),
            "create_at": self.create_at.isoformat(),
        }
