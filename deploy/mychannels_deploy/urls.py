"""The addresses of step 6, and one for those who watch the servers."""

from django.urls import path

from mychannels.urls import urlpatterns

from .health import health

urlpatterns = [*urlpatterns, path("health/", health)]
