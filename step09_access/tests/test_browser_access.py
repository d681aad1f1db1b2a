import pytest
from django.contrib.sessions.models import Session

from .servers import free_port, run_server

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.usefixtures("live_demo")]


async def stops(visitor):
    """Check that the page no longer takes messages and doesn't connect again."""
    handshakes = visitor.wire_log().filter(has_text="handshake")
    text = await visitor.page.locator("#chat [role=status]").inner_text()
    before = await handshakes.count()
    await visitor.page.clock.run_for(60_000)
    assert await handshakes.count() == before
    assert await visitor.page.locator("#chat [role=status]").inner_text() == text
    assert await visitor.page.get_by_role("button", name="Send").is_disabled()
    assert await visitor.page.get_by_label("New message").is_disabled()


async def test_page_of_a_removed_user_says_so_and_stops(alice_in_general, general):
    await alice_in_general.chat_says("Connected.")
    await general.users.aclear()
    await alice_in_general.chat_says("You no longer have access to this room.")
    await stops(alice_in_general)


async def test_page_of_a_signed_out_user_says_so_and_stops(alice_in_general):
    await alice_in_general.chat_says("Connected.")
    await Session.objects.all().adelete()
    await alice_in_general.chat_says("You are signed out. Reload the page.")
    await stops(alice_in_general)


async def test_page_that_is_refused_when_it_comes_back_says_so_and_stops(
    new_visitor, general, tmp_path
):
    port = free_port()
    with run_server(tmp_path / "log", port=port) as url:
        alice = await new_visitor("alice", "General", base_url=url)
        await alice.chat_says("Connected.")
    await alice.chat_says("No connection to the server.")
    await general.users.aclear()
    with run_server(tmp_path / "log", port=port):
        await alice.page.clock.fast_forward(60_000)
        await alice.chat_says("You no longer have access to this room.")
        await stops(alice)


async def test_lines_that_were_written_offline_are_sent_in_their_order(new_visitor, tmp_path):
    port = free_port()
    with run_server(tmp_path / "log", port=port) as url:
        alice = await new_visitor("alice", "General", base_url=url)
        await alice.chat_says("Connected.")
    await alice.chat_says("No connection to the server.")
    await alice.page.evaluate("""
        const form = document.querySelector("#chat form");
        for (let n = 0; n < 30; n++) {
            form.elements.message.value = `message ${n}.`;
            form.requestSubmit();
        }
    """)
    with run_server(tmp_path / "log", port=port):
        await alice.messages().nth(29).wait_for()
        texts = [text.split()[2] for text in await alice.messages().all_inner_texts()]
        assert texts == [f"{n}." for n in range(30)]


async def test_lines_that_are_sent_too_fast_arrive_later(alice_in_general):
    await alice_in_general.wire_log().filter(has_text='"synced"').wait_for()
    await alice_in_general.page.evaluate("""
        const form = document.querySelector("#chat form");
        for (let n = 0; n < 30; n++) {
            form.elements.message.value = `message ${n}.`;
            form.requestSubmit();
        }
    """)
    await alice_in_general.messages().nth(29).wait_for()
    texts = [text.split()[2] for text in await alice_in_general.messages().all_inner_texts()]
    assert sorted(texts) == sorted(f"{n}." for n in range(30))
