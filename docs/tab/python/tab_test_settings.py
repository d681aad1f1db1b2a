"""The settings of the step's tests, with what is different in a browser tab."""

from tests.settings import *

# isort: split
import tab_settings

INSTALLED_APPS = tab_settings.INSTALLED_APPS
