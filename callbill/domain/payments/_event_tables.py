"""How far the gateway's list of messages was read."""

from __future__ import annotations

from django.db import models


class EventCursor(models.Model):
    """Until when the gateway's own list of messages was read, so that a lost webhook is found once."""

    name = models.CharField(max_length=20, primary_key=True)
    read_until = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.name} until {self.read_until:%Y-%m-%d %H:%M}"
