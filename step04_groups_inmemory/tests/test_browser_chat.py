import re

import pytest

from .servers import free_port, run_server

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.usefixtures("live_demo")]


async def test_message_is_shown_to_everybody_in_the_room(alice_in_general, bob_in_general):
    await bob_in_general.chat_says("Connected.")
    await alice_in_general.send_message("hi")
    await alice_in_general.messages().filter(has_text="alice hi").wait_for()
    await bob_in_general.messages().filter(has_text="alice hi").wait_for()


async def test_message_that_looks_like_html_is_text(alice_in_general):
    await alice_in_general.send_message("<b id=loud>loud</b>")
    await alice_in_general.messages().filter(has_text="<b id=loud>loud</b>").wait_for()
    assert await alice_in_general.page.locator("#loud").count() == 0


async def test_error_frame_is_shown_in_words_until_the_next_message(alice_in_general):
    await alice_in_general.send_message("   ")
    await alice_in_general.chat_says("Write something first.")
    await alice_in_general.page.get_by_label("New message").fill("hi")
    await alice_in_general.page.get_by_role("button", name="Send").click()
    await alice_in_general.chat_says("Connected.")


async def test_meter_counts_frames_beside_requests(alice_in_general):
    await alice_in_general.send_message("hi")
    await alice_in_general.messages().filter(has_text="hi").wait_for()
    assert await alice_in_general.meter("frames") == 2  # the handshake and the message
    assert await alice_in_general.meter("frame-bytes") >= len('{"message": "hi"}')
    assert await alice_in_general.meter("messages") == 1


async def test_wire_log_lists_frames(alice_in_general):
    await alice_in_general.send_message("hi")
    lines = await alice_in_general.wire_log()
    await lines.filter(has_text=re.compile('⇒ .*"message":"hi"')).wait_for()
    await lines.filter(has_text=re.compile('⇐ .*"message": "hi"')).wait_for()


async def test_page_connects_again_by_itself(new_visitor, tmp_path):
    port = free_port()
    with run_server(tmp_path / "log", port=port) as url:
        alice = await new_visitor("alice", "General", base_url=url)
        await alice.chat_says("Connected.")
    await alice.chat_says("Not connected.")
    with run_server(tmp_path / "log", port=port):
        await alice.page.clock.fast_forward(2000)
        await alice.send_message("back again")
        await alice.messages().filter(has_text="back again").wait_for()


async def test_message_stays_in_its_box_while_there_is_no_connection(new_visitor, tmp_path):
    with run_server(tmp_path / "log") as url:
        alice = await new_visitor("alice", "General", base_url=url)
        await alice.chat_says("Connected.")
    await alice.chat_says("Not connected.")
    await alice.page.get_by_label("New message").fill("keep me")
    await alice.page.get_by_role("button", name="Send").click()
    await alice.chat_says("Send it again in a moment.")
    assert await alice.page.get_by_label("New message").input_value() == "keep me"


async def test_page_under_https_uses_wss(alice_in_general, server):
    page = alice_in_general.page

    async def serve_as_https(route):
        url = route.request.url.replace("https://mychannels.test", server)
        await route.fulfill(response=await route.fetch(url=url))

    cookies = await page.context.cookies()
    await page.context.add_cookies([cookie | {"domain": "mychannels.test"} for cookie in cookies])
    await page.route("https://mychannels.test/**", serve_as_https)
    async with page.expect_websocket(lambda socket: socket.url.startswith("wss:")) as opened:
        await page.goto(page.url.replace(server, "https://mychannels.test"))
    socket = await opened.value
    assert socket.url.startswith("wss://mychannels.test/ws/chat/room/")
    await page.unroute_all(behavior="ignoreErrors")
