import os
import shutil
import subprocess
import sys

import pytest
from django.conf import settings
from django.core.management import call_command
from django.core.servers.basehttp import get_internal_wsgi_application

from mychannels.wsgi import application

from .servers import run_manage

SHOW_SETTINGS = """
from django.conf import settings
print([settings.SECRET_KEY, settings.DEBUG, settings.ALLOWED_HOSTS])
"""
SHOW_COOKIE_NAMES = """
from django.conf import settings
print(settings.SESSION_COOKIE_NAME, settings.CSRF_COOKIE_NAME)
"""


def test_system_checks_find_nothing():
    call_command("check", fail_level="WARNING")


def test_every_change_of_a_model_has_its_migration(db):
    call_command("makemigrations", check=True, dry_run=True, verbosity=0)


def test_environment_sets_key_debug_and_hosts(db):
    environ = {
        "DJANGO_SETTINGS_MODULE": "mychannels.settings",
        "DJANGO_SECRET_KEY": "our own",
        "DJANGO_DEBUG": "0",
        "DJANGO_ALLOWED_HOSTS": "a.example, b.example",
    }
    shown = run_manage("shell", "--verbosity=0", "--command", SHOW_SETTINGS, **environ)
    assert shown.stdout.strip() == "['our own', False, ['a.example', 'b.example']]"


@pytest.mark.parametrize("missing", ["DJANGO_SECRET_KEY", "DJANGO_ALLOWED_HOSTS"])
def test_without_debug_a_missing_setting_is_a_clear_error(missing):
    environ = {
        "DJANGO_SETTINGS_MODULE": "mychannels.settings",
        "DJANGO_SECRET_KEY": "our own",
        "DJANGO_DEBUG": "0",
        "DJANGO_ALLOWED_HOSTS": "a.example",
    }
    result = run_manage("check", **environ | {missing: ""})
    assert result.returncode != 0
    error = "ImproperlyConfigured: Without DEBUG, set DJANGO_SECRET_KEY and DJANGO_ALLOWED_HOSTS."
    assert result.stderr.splitlines()[-1].endswith(error)


def test_cookies_are_named_after_the_folder(tmp_path):
    folder = tmp_path / "My step, copied"
    shutil.copytree(settings.BASE_DIR / "mychannels", folder / "mychannels")
    command = [sys.executable, "-c", SHOW_COOKIE_NAMES]
    environ = os.environ | {"DJANGO_SETTINGS_MODULE": "mychannels.settings"}
    shown = subprocess.run(command, cwd=folder, env=environ, capture_output=True, text=True)
    assert shown.stdout.split() == ["my-step-copied_sessionid", "my-step-copied_csrftoken"]


@pytest.mark.parametrize("module", ["asgi", "wsgi"])
def test_application_finds_its_settings_by_itself(module):
    environ = {k: v for k, v in os.environ.items() if k != "DJANGO_SETTINGS_MODULE"}
    command = [sys.executable, "-c", f"from mychannels.{module} import application"]
    assert subprocess.run(command, cwd=settings.BASE_DIR, env=environ).returncode == 0


def test_runserver_serves_the_wsgi_application():
    assert get_internal_wsgi_application() is application
