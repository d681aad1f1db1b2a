"""Run in the folder of a step: bring its database up to date, with the demo data."""

import fcntl
import os
import sys

sys.path[0] = os.getcwd()
os.environ["DJANGO_SETTINGS_MODULE"] = "mychannels.settings"

import django
from django.core.management import call_command

django.setup()
# Two that start at the same time would both create the same tables.
with open("manage.py") as one_at_a_time:
    fcntl.flock(one_at_a_time, fcntl.LOCK_EX)
    call_command("migrate", verbosity=0)
    call_command("demo", verbosity=0)
