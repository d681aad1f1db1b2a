import re

import pytest

from .servers import free_port, run_server

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.usefixtures("live_demo")]


async def test_message_comes_back_to_its_sender(alice_in_general):
    await alice_in_general.send_message("hi")
    await alice_in_general.messages().filter(has_text="hi").wait_for()


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


async def test_meter_and_wire_log_show_frames(alice_in_general):
    await alice_in_general.send_message("hi")
    await alice_in_general.messages().filter(has_text="hi").wait_for()
    assert await alice_in_general.meter("frames") == 2  # the handshake and the message
    assert await alice_in_general.meter("frame-bytes") >= len('{"message": "hi"}')
    assert await alice_in_general.meter("messages") == 1
    lines = await alice_in_general.wire_log()
    await lines.filter(has_text=re.compile('⇒ .*"message":"hi"')).wait_for()
    await lines.filter(has_text=re.compile('⇐ .*"message": "hi"')).wait_for()


async def test_page_keeps_a_message_until_it_is_connected_again(new_visitor, tmp_path):
    port = free_port()
    with run_server(tmp_path / "log", port=port) as url:
        alice = await new_visitor("alice", "General", base_url=url)
        await alice.chat_says("Connected.")
    await alice.chat_says("Not connected.")
    await alice.page.get_by_label("New message").fill("keep me")
    await alice.page.get_by_role("button", name="Send").click()
    await alice.chat_says("Send it again in a moment.")
    assert await alice.page.get_by_label("New message").input_value() == "keep me"
    with run_server(tmp_path / "log", port=port):
        await alice.page.clock.fast_forward(2000)
        await alice.chat_says("Connected.")
        await alice.page.get_by_role("button", name="Send").click()
        await alice.messages().filter(has_text="keep me").wait_for()


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
