import json

import pytest
import redis
from tests.servers import wait_until

from .machines import run_python


@pytest.fixture
def health(client):
    """A function that returns the status and the JSON of the health address."""

    def ask():
        response = client.get("/health/")
        return response.status, json.load(response)

    return ask


WELL = (200, {"database": "ok", "layer": "ok"})
NO_LAYER = (503, {"database": "ok", "layer": "away"})
NO_DATABASE = (503, {"database": "away", "layer": "ok"})


def test_health_is_good(health):
    assert health() == WELL


def test_health_is_not_cached(client):
    assert "no-store" in client.get("/health/").headers["Cache-Control"]


def test_health_without_redis(site, health):
    site.redis.stop()
    try:
        assert health() == NO_LAYER
        assert "The layer is away: ConnectionError" in site.log()
    finally:
        site.redis.start()
    wait_until(lambda: health() == WELL)


def test_health_when_redis_does_not_answer(site, health):
    with redis.Redis.from_url(site.redis.url) as connection:
        connection.client_pause(600_000)
    try:
        assert health() == NO_LAYER
    finally:
        site.redis.stop()
        site.redis.start()
    wait_until(lambda: health() == WELL)


def test_health_without_postgresql(site, health):
    site.postgresql.crash()
    try:
        assert health() == NO_DATABASE
        assert "The database is away: OperationalError" in site.log()
    finally:
        site.postgresql.start()
    wait_until(lambda: health() == WELL)


def test_daphne_is_asked_for_its_health_without_nginx(site):
    ask = ["-m", "mychannels_deploy.ask_health", str(site.daphnes[0].port)]
    assert run_python(site.environ, *ask).returncode == 0


def test_asking_for_health_ends_with_an_error_where_nobody_answers(site):
    ask = ["-m", "mychannels_deploy.ask_health", "1"]
    assert run_python(site.environ, *ask).returncode == 1
