"""Run in the folder of a step: bring its database up to date, with the demo data."""

import os
import sys

sys.path[0] = os.getcwd()
os.environ["DJANGO_SETTINGS_MODULE"] = "mychannels.settings"

import django
from django.core.management import call_command

django.setup()
call_command("migrate", verbosity=0)
call_command("demo", verbosity=0)
