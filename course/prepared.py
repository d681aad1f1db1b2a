"""Run in the folder of a step, before a command of its manage.py and in the same process.

Brings the step's database up to date, with the demo data:

    python prepared.py runserver 127.0.0.1:8000
"""

import fcntl
import os
import runpy
import sys

import django
from django.core.management import call_command

MANAGE = "manage.py"

sys.path[0] = os.getcwd()
sys.argv[0] = MANAGE  # the auto-reloader starts it again, without the preparation
os.environ["DJANGO_SETTINGS_MODULE"] = "mychannels.settings"

django.setup()
# Two that start at the same time would both create the same tables.
with open(MANAGE) as one_at_a_time:
    fcntl.flock(one_at_a_time, fcntl.LOCK_EX)
    call_command("migrate", verbosity=0)
    call_command("demo", verbosity=0)

runpy.run_path(MANAGE, run_name="__main__")
