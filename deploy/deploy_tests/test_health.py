import redis
from tests.servers import wait_until

from .machines import run_python

HEALTHY = (200, {"database": "ok", "layer": "ok"})
NO_LAYER = (503, {"database": "ok", "layer": "unavailable"})


def test_health_of_a_working_site(health):
    assert health() == HEALTHY


def test_health_is_not_cached(client):
    assert "no-store" in client.get("/health/").headers["Cache-Control"]


def test_health_without_redis(site, health):
    site.redis.stop()
    try:
        assert health() == NO_LAYER
        assert "Redis can't be reached" in site.log()
    finally:
        site.redis.start()
    wait_until(lambda: health() == HEALTHY)


def test_health_when_redis_does_not_answer(site, health):
    with redis.Redis.from_url(site.redis.url) as connection:
        connection.client_pause(600_000)
    try:
        assert health() == NO_LAYER
    finally:
        site.redis.stop()
        site.redis.start()
    wait_until(lambda: health() == HEALTHY)


def test_daphne_answers_without_nginx(site):
    ask = ["-m", "mychannels_deploy.ask_health", str(site.daphnes[0].port)]
    assert run_python(site.environ, *ask).returncode == 0


def test_asking_a_stopped_daphne_fails(site):
    ask = ["-m", "mychannels_deploy.ask_health", "1"]
    assert run_python(site.environ, *ask).returncode == 1
