"""The addresses of the alerts."""

from django.urls import path

from . import views

app_name = "alert"
urlpatterns = [
    path("", views.create, name="create"),
    path("latest/", views.latest, name="latest"),
]
