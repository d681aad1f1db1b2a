"""The settings of the step's tests, with PostgreSQL in place of SQLite."""

from tests.settings import *  # noqa: F403

from mychannels_deploy.settings import DATABASES as POSTGRESQL

DATABASES = POSTGRESQL
