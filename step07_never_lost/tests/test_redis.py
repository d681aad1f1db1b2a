from urllib.request import Request, urlopen

import pytest
from channels_redis.core import RedisChannelLayer
from django.conf import settings
from websockets.exceptions import InvalidStatus

from alert.models import Alert

from .redis_servers import run_redis
from .servers import free_port, run_server
from .sessions import cookie_of
from .sockets import close_code

UNAVAILABLE = 4503


@pytest.fixture(scope="module")
def redis_url():
    """The address of a Redis that the tests of this module start and stop."""
    return f"redis://127.0.0.1:{free_port()}/0"


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    return tmp_path_factory.mktemp("redis") / "log"


@pytest.fixture(scope="module")
def server(django_db_setup, django_db_blocker, redis_url, log):
    """The address of a server process that relies on the Redis at `redis_url`."""
    with django_db_blocker.unblock(), run_server(log, REDIS_URL=redis_url) as url:
        yield url


def test_open_socket_is_closed_when_redis_goes_down(connect, redis_url):
    with run_redis(redis_url):
        alice = connect("alice")
        alice.send({"message": "hi"})
        assert alice.next_message() == "hi"
    assert close_code(alice) == UNAVAILABLE


def test_new_socket_is_accepted_then_closed_until_redis_is_back(connect, redis_url):
    assert close_code(connect("alice")) == UNAVAILABLE
    with run_redis(redis_url):
        alice = connect("alice")
        alice.send({"message": "back"})
        assert alice.next_message() == "back"


def test_handshake_of_a_non_member_is_refused_without_redis_too(connect):
    for username in [None, "carol"]:
        with pytest.raises(InvalidStatus) as refusal:
            connect(username)
        assert refusal.value.response.status_code == 403


def test_pages_are_served_without_redis(live_demo, server):
    cookie = {"Cookie": cookie_of("alice")}
    with urlopen(Request(f"{server}/chat/", headers=cookie)) as page:
        assert "General" in page.read().decode()


def test_post_without_redis_is_stored(live_demo, server, general):
    token = "x" * 32
    headers = {
        "Cookie": f"{cookie_of('alice')}; {settings.CSRF_COOKIE_NAME}={token}",
        "X-CSRFToken": token,
    }
    address = f"{server}/alert/room/{general.pk}/"
    with urlopen(Request(address, b"content=hi", headers)) as answer:
        assert answer.status == 201
    assert Alert.objects.get().content == "hi"


def test_each_outage_is_one_line_in_the_log(connect, redis_url, log):
    start, lines = len(log.read_text()), []
    for _ in range(3):
        with run_redis(redis_url):
            sockets = [connect(name) for name in ["alice", "bob"]]
        sockets.append(connect("alice"))
        assert {close_code(socket) for socket in sockets} == {UNAVAILABLE}
        lines.append(log.read_text().count("Redis can't be reached"))
    assert lines == [lines[0], lines[0] + 1, lines[0] + 2]
    assert "Traceback" not in log.read_text()[start:]


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
