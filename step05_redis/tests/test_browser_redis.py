import pytest

from .redis_servers import run_redis
from .servers import free_port, run_server

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.usefixtures("live_demo")]


async def test_page_says_that_redis_is_down_and_recovers(new_visitor, tmp_path):
    redis_url = f"redis://127.0.0.1:{free_port()}/0"
    with run_server(tmp_path / "log", REDIS_URL=redis_url) as url:
        with run_redis(redis_url):
            alice = await new_visitor("alice", "General", base_url=url)
            await alice.chat_says("Connected.")
        await alice.chat_says("The server can’t reach Redis.")
        with run_redis(redis_url):
            await alice.page.clock.fast_forward(2000)
            await alice.send_message("back again")
            await alice.messages().filter(has_text="back again").wait_for()
