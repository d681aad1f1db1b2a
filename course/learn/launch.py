"""Run in the folder of a step in place of its manage.py:

    python launch.py runserver 127.0.0.1:8000

Before the command, the step's database is brought up to date, with the demo data.
"""

import fcntl
import logging
import os
import sys
from contextlib import suppress
from pathlib import Path

import django
from django.conf import settings
from django.contrib.staticfiles import handlers, views
from django.core.management import call_command, execute_from_command_line
from django.utils.autoreload import DJANGO_AUTORELOAD_ENV
from django.views.decorators.cache import cache_control


def prepare():
    """Bring the database of the step up to date."""
    django.setup()
    # Two that start at the same time would both create the same tables.
    with open("manage.py") as one_at_a_time:
        fcntl.flock(one_at_a_time, fcntl.LOCK_EX)
        call_command("migrate", verbosity=0)
        call_command("demo", verbosity=0)


def end_process(record):
    """End this process when something critical is logged; leave all else to the logger."""
    if record.levelno >= logging.CRITICAL:
        logging.lastResort.handle(record)
        os._exit(1)
    return True


sys.path[0] = os.getcwd()
os.environ["DJANGO_SETTINGS_MODULE"] = "mychannels.settings"
with suppress(Exception):  # an error in the settings is shown by the command below
    if shown := os.environ.get("SHOWN_STEP"):
        settings.BASE_DIR = Path(shown)  # of which the pages show the name
    if origins := os.environ.get("DJANGO_CSRF_TRUSTED_ORIGINS"):
        settings.CSRF_TRUSTED_ORIGINS = origins.split(",")
# Without this header, browsers may use a cached script or style sheet after it was edited.
handlers.serve = cache_control(no_cache=True)(views.serve)
# Daphne logs that it can't listen on its port, and would wait for ever.
# A filter: with a handler of ours, Python would no longer print what the others log there.
logging.getLogger("daphne.server").addFilter(end_process)
# The auto-reloader runs this file again, in the process that serves.
if DJANGO_AUTORELOAD_ENV not in os.environ:
    prepare()
execute_from_command_line(sys.argv)
