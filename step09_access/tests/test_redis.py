import pytest
from channels_redis.core import RedisChannelLayer

from .redis_servers import run_redis
from .servers import free_port, run_server


@pytest.fixture
def redis_url():
    """The address of a Redis that a test starts and stops by itself."""
    return f"redis://127.0.0.1:{free_port()}/0"


@pytest.fixture
def log(tmp_path):
    return tmp_path / "log"


def test_losing_redis_closes_no_socket(live_demo, redis_url, connect, log, tmp_path, settings):
    with (
        run_server(log, REDIS_URL=redis_url) as first,
        run_server(tmp_path / "second", REDIS_URL=redis_url) as second,
    ):
        with run_redis(redis_url):
            alice, bob = connect("alice", server=first), connect("bob", server=second)
            alice.send({"message": "with Redis"})
            assert alice.next_message() == bob.next_message() == "with Redis"
        alice.send({"message": "without Redis"})
        assert alice.next_message() == bob.next_message() == "without Redis"
        with run_redis(redis_url):
            alice.send({"message": "with Redis again"})
            assert alice.next_message() == bob.next_message() == "with Redis again"
            for each in [log, tmp_path / "second"]:
                assert each.read_text().count("Redis can't be reached") == 1
    for each in [log, tmp_path / "second"]:
        # channels_redis itself may leave a traceback, but none comes through our code.
        assert f'File "{settings.BASE_DIR}' not in each.read_text()


def test_several_redis_addresses_share_the_rooms(redis_url, connect, general, workshop, tmp_path):
    other_url = f"redis://127.0.0.1:{free_port()}/0"
    with (
        run_redis(redis_url),
        run_redis(other_url),
        run_server(tmp_path / "log", REDIS_URL=f"{redis_url},{other_url}") as server,
    ):
        for username, room_id in [("bob", general.pk), ("carol", workshop.pk)]:
            socket = connect(username, f"ws/chat/room/{room_id}", server=server)
            socket.send({"message": "hi"})
            assert socket.next_message() == "hi"


async def test_steps_that_share_a_redis_do_not_hear_each_other(settings):
    config = settings.CHANNEL_LAYERS["default"]["CONFIG"]
    ours, theirs = RedisChannelLayer(**config), RedisChannelLayer(**config | {"prefix": "theirs"})
    channel = await ours.new_channel()
    await ours.group_add("room", channel)
    await theirs.group_send("room", {"type": "from.another.step"})
    await ours.group_send("room", {"type": "from.this.step"})
    assert await ours.receive(channel) == {"type": "from.this.step"}


def test_prefix_of_the_layer_is_the_name_of_the_folder(settings):
    config = settings.CHANNEL_LAYERS["default"]["CONFIG"]
    assert config["prefix"] == settings.BASE_DIR.name
