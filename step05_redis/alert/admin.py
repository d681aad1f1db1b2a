"""Alerts in the admin."""

from django.contrib import admin

from .models import Alert


@admin.register(Alert)
class AlertAdmin(admin.ModelAdmin):
    list_display = ["content", "user", "create_at"]
