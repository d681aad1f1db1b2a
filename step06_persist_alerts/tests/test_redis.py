from urllib.request import urlopen

import pytest

from .redis_servers import run_redis
from .servers import free_port, run_server, wait_until

REDIS_TIMEOUT = 5  # seconds that the channel layer waits for an event before it asks Redis again


@pytest.fixture
def redis_url():
    """The address of a Redis that a test starts and stops by itself."""
    return f"redis://127.0.0.1:{free_port()}/0"


@pytest.fixture
def log(tmp_path):
    return tmp_path / "log"


@pytest.fixture
def server_of_redis(live_demo, redis_url, log):
    """The address of a server process that relies on the Redis at `redis_url`."""
    with run_server(log, REDIS_URL=redis_url) as url:
        yield url


@pytest.fixture
def other_server(live_demo, redis_url, tmp_path):
    """The address of another process that does so."""
    with run_server(tmp_path / "other", REDIS_URL=redis_url) as url:
        yield url


def test_idle_socket_stays_open(connect):
    alice = connect("alice")
    assert alice.receive()["msg_type"] == "synced"
    with pytest.raises(TimeoutError):
        alice.connection.recv(REDIS_TIMEOUT + 1.5)
    alice.send({"message": "still here"})
    assert alice.next_message() == "still here"


def test_messages_arrive_while_redis_is_away(server_of_redis, other_server, connect):
    alice = connect("alice", server=server_of_redis)
    bob = connect("bob", server=other_server)
    alice.send({"message": "no bell"})
    assert bob.next_message() == "no bell"


def test_sockets_stay_open_when_redis_goes_away_and_comes_back(
    server_of_redis, other_server, redis_url, connect
):
    with run_redis(redis_url):
        alice = connect("alice", server=server_of_redis)
        bob = connect("bob", server=other_server)
        alice.send({"message": "with redis"})
        assert bob.next_message() == "with redis"
    alice.send({"message": "without redis"})
    assert bob.next_message() == "without redis"
    with run_redis(redis_url):
        alice.send({"message": "with another redis"})
        assert bob.next_message() == "with another redis"


def test_pages_are_served_while_redis_is_away(server_of_redis):
    with urlopen(f"{server_of_redis}/accounts/login/") as page:
        assert page.status == 200


def test_each_time_that_redis_goes_away_is_one_line_in_the_log(
    server_of_redis, redis_url, connect, log
):
    def lines():
        words = ["Redis can't be reached", "Redis is back"]
        return [log.read_text().count(word) for word in words]

    alice = connect("alice", server=server_of_redis)
    wait_until(lambda: lines() == [1, 0])
    for n in range(3):
        alice.send({"message": f"{n}"})
        alice.receive("message")
    assert lines() == [1, 0]
    with run_redis(redis_url):
        wait_until(lambda: lines() == [1, 1])
    wait_until(lambda: lines() == [2, 1])
    assert "Traceback" not in log.read_text()


def test_several_redis_addresses_share_the_rooms(live_demo, redis_url, connect, tmp_path, log):
    other_url = f"redis://127.0.0.1:{free_port()}/0"
    both = f"{redis_url},{other_url}"
    with (
        run_redis(redis_url),
        run_redis(other_url),
        run_server(log, REDIS_URL=both) as first,
        run_server(tmp_path / "second", REDIS_URL=both) as second,
    ):
        alice, bob = connect("alice", server=first), connect("bob", server=second)
        alice.send({"message": "hi"})
        assert bob.next_message() == "hi"
