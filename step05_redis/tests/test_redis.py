from urllib.request import urlopen

import pytest
from websockets.exceptions import ConnectionClosed

from .redis_servers import run_redis
from .servers import free_port, run_server
from .sockets import TIMEOUT

UNAVAILABLE = 4503
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


def close_code(socket):
    """Wait until the server closes the socket; return the code that it gives."""
    with pytest.raises(ConnectionClosed) as closed:
        socket.connection.recv(TIMEOUT)
    return closed.value.rcvd.code


def test_idle_socket_stays_open(connect):
    alice = connect("alice")
    with pytest.raises(TimeoutError):
        alice.connection.recv(REDIS_TIMEOUT + 1.5)
    alice.send({"message": "still here"})
    assert alice.next_message() == "still here"


def test_socket_is_told_to_try_later_when_redis_goes_away(server_of_redis, redis_url, connect):
    with run_redis(redis_url):
        alice = connect("alice", server=server_of_redis)
        alice.send({"message": "hi"})
        assert alice.next_message() == "hi"
    assert close_code(alice) == UNAVAILABLE


def test_socket_is_told_to_try_later_while_redis_is_away(server_of_redis, connect):
    assert close_code(connect("alice", server=server_of_redis)) == UNAVAILABLE


def test_sockets_work_again_when_redis_is_back(server_of_redis, redis_url, connect):
    assert close_code(connect("alice", server=server_of_redis)) == UNAVAILABLE
    with run_redis(redis_url):
        alice = connect("alice", server=server_of_redis)
        alice.send({"message": "back"})
        assert alice.next_message() == "back"


def test_pages_are_served_while_redis_is_away(server_of_redis):
    with urlopen(f"{server_of_redis}/accounts/login/") as page:
        assert page.status == 200


def test_each_time_that_redis_goes_away_is_one_line_in_the_log(
    server_of_redis, redis_url, connect, log
):
    for times in [1, 2]:
        with run_redis(redis_url):
            sockets = [connect(name, server=server_of_redis) for name in ["alice", "bob"]]
        sockets.append(connect("alice", server=server_of_redis))
        assert {close_code(socket) for socket in sockets} == {UNAVAILABLE}
        assert log.read_text().count("Redis can't be reached") == times
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
