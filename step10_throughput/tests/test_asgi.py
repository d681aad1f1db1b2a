from urllib.request import urlopen

import pytest
from daphne.management.commands.runserver import get_default_application
from django.core.exceptions import ImproperlyConfigured

from mychannels import asgi, routing

from .servers import run_server

DAPHNE = ("-m", "daphne", "-b", "127.0.0.1", "-p", "{port}", "mychannels.asgi:application")


def test_runserver_is_daphne(server, server_log):
    assert "Starting ASGI/Daphne" in server_log.read_text()


def test_daphne_command_serves_the_pages(transactional_db, tmp_path):
    with run_server(tmp_path / "log", DAPHNE) as url, urlopen(f"{url}/accounts/login/") as page:
        assert page.status == 200
        assert page.headers["Server"] == "daphne"
        assert "Sign in" in page.read().decode()


def test_runserver_and_the_daphne_command_serve_the_same_application():
    assert get_default_application() is routing.application is asgi.application


def test_wrong_name_in_asgi_application_is_named_in_the_error(settings):
    settings.ASGI_APPLICATION = "mychannels.routing.app"
    message = "Cannot find 'app' in ASGI_APPLICATION module mychannels.routing"
    with pytest.raises(ImproperlyConfigured, match=message):
        get_default_application()


def test_wrong_module_in_asgi_application_is_named_in_the_error(settings):
    settings.ASGI_APPLICATION = "mychannels.router.application"
    message = "Cannot import ASGI_APPLICATION module 'mychannels.router'"
    with pytest.raises(ImproperlyConfigured, match=message):
        get_default_application()
