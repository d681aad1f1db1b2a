"""The last step's addresses, and one that says whether a server works."""

from django.urls import path

from mychannels.urls import urlpatterns

from .health import health

urlpatterns = [*urlpatterns, path("health/", health)]
