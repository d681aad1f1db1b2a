import pytest

from .redis_servers import run_redis
from .servers import free_port, run_server

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.usefixtures("live_demo")]


async def test_chat_goes_on_without_redis(new_visitor, tmp_path):
    redis_url = f"redis://127.0.0.1:{free_port()}/0"
    with run_server(tmp_path / "log", REDIS_URL=redis_url) as url:
        with run_redis(redis_url):
            alice = await new_visitor("alice", "General", base_url=url)
            bob = await new_visitor("bob", "General", base_url=url)
            await bob.chat_says("Connected.")
        await alice.send_message("without redis")
        await bob.messages().filter(has_text="without redis").wait_for()


async def test_people_on_different_servers_see_each_other(
    alice_in_general, new_visitor, second_server
):
    bob = await new_visitor("bob", "General", base_url=second_server)
    await bob.chat_says("Connected.")
    await alice_in_general.send_message("hi, other process")
    await bob.messages().filter(has_text="hi, other process").wait_for()
