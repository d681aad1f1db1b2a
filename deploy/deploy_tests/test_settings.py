import pytest

from .machines import environ_of_a_server, run_python

REQUIRED = ["DJANGO_SECRET_KEY", "DJANGO_ALLOWED_HOSTS", "DATABASE_URL", "REDIS_URL"]


@pytest.fixture
def environ():
    """A complete environment; nothing listens on these addresses."""
    return environ_of_a_server(
        DATABASE_URL="postgresql://nobody@127.0.0.1:1/nothing", REDIS_URL="redis://127.0.0.1:1/0"
    )


def test_check_deploy_finds_nothing(environ):
    arguments = ["check", "--deploy", "--fail-level", "WARNING"]
    result = run_python(environ, "manage.py", *arguments)
    assert result.returncode == 0, result.stderr
    assert result.stdout == "System check identified no issues (0 silenced).\n"


def test_all_missing_variables_are_named_in_one_error(environ):
    result = run_python(environ | dict.fromkeys(REQUIRED, ""), "manage.py", "check")
    assert result.returncode != 0
    error = f"ImproperlyConfigured: Set in the environment: {', '.join(REQUIRED)}."
    assert result.stderr.splitlines()[-1].endswith(error)


def test_a_variable_that_is_set_is_not_named(environ):
    result = run_python(environ | {"REDIS_URL": " "}, "manage.py", "check")
    error = "ImproperlyConfigured: Set in the environment: REDIS_URL."
    assert result.stderr.splitlines()[-1].endswith(error)


@pytest.mark.parametrize("url", ["sqlite:///db.sqlite3", "mychannels"])
def test_database_must_be_postgresql(environ, url):
    result = run_python(environ | {"DATABASE_URL": url}, "manage.py", "check")
    error = "ImproperlyConfigured: Set DATABASE_URL to postgresql://USER:PASSWORD@HOST/NAME."
    assert result.stderr.splitlines()[-1].endswith(error)


def test_debug_cannot_be_turned_on(environ):
    show = "from django.conf import settings; print(settings.DEBUG)"
    result = run_python(environ | {"DJANGO_DEBUG": "true"}, "-c", show)
    assert result.stdout == "False\n"
