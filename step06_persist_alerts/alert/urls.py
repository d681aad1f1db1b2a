"""The addresses of the alerts."""

from django.urls import path

from . import views

app_name = "alert"
urlpatterns = [
    path("room/<int:room_id>/", views.RoomAlerts.as_view(), name="room"),
]
