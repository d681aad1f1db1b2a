"""Rooms: where people talk, and who may."""

from django.conf import settings
from django.db import models


class Room(models.Model):
    """A place to talk for the users who have joined it, and for nobody else."""

    name = models.CharField(max_length=60, unique=True)
    users = models.ManyToManyField(
        settings.AUTH_USER_MODEL, related_name="rooms_joined", blank=True
    )
    last_seq = models.PositiveBigIntegerField(default=0, editable=False)

    def __str__(self):
        return self.name
