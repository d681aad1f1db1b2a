"""Alerts in the admin."""

from django.contrib import admin

from .models import Alert


@admin.register(Alert)
class AlertAdmin(admin.ModelAdmin):
    list_display = ["content", "user", "create_at", "room", "seq"]

    # Clients rely on numbers without holes: nobody adds, changes or deletes an alert by hand.
    def has_add_permission(self, request):
        return False

    def has_change_permission(self, request, obj=None):
        return False

    def has_delete_permission(self, request, obj=None):
        return False
