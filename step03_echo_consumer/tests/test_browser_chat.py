from collections import Counter

import pytest

from .browsers import Visitor
from .proxies import count_bytes
from .servers import free_port, run_server

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.usefixtures("live_demo")]


async def test_message_comes_back_to_its_sender(alice_in_general):
    await alice_in_general.send_message("hi")
    await alice_in_general.messages().filter(has_text="hi").wait_for()


async def test_message_that_looks_like_html_is_text(alice_in_general):
    await alice_in_general.send_message("<b id=loud>loud</b>")
    await alice_in_general.messages().filter(has_text="<b id=loud>loud</b>").wait_for()
    assert await alice_in_general.page.locator("#loud").count() == 0


async def test_message_that_is_refused_stays_in_the_form_with_the_reason(alice_in_general):
    field = alice_in_general.page.get_by_label("New message")
    await alice_in_general.send_message("   ")
    await alice_in_general.form_says("Write something first.")
    assert await field.input_value() == "   "
    await alice_in_general.send_message("hi")
    await alice_in_general.messages().filter(has_text="hi").wait_for()
    await alice_in_general.page.locator("#chat [role=alert]").wait_for(state="hidden")


async def test_message_has_the_time_at_which_it_came(alice_in_general):
    await alice_in_general.send_message("hi")
    await alice_in_general.messages().filter(has_text="hi").locator("time[datetime]").wait_for()


async def test_meter_counts_frames_after_the_handshake(alice_in_general):
    await alice_in_general.send_message("hi")
    await alice_in_general.messages().filter(has_text="hi").wait_for()
    assert await alice_in_general.meter("requests", "WebSocket") == 1
    assert await alice_in_general.meter("frames", "WebSocket") == 2
    assert await alice_in_general.meter("messages", "WebSocket") == 1
    lines = alice_in_general.wire_log()
    await lines.filter(has_text='→ {"message":"hi"}').wait_for()
    await lines.filter(has_text='← {"message": "hi"}').wait_for()


async def test_meter_counts_about_the_bytes_that_a_proxy_counts(new_visitor, server):
    async with count_bytes(server) as (address, counted):
        alice = await new_visitor("alice", "General", base_url=address)
        await alice.chat_says("Connected.")
        await alice.page.route("**/alert/latest/**", lambda route: route.abort())
        before = Counter(counted)
        shown = {row: await alice.meter(row, "WebSocket") for row in ["sent", "received"]}
        await alice.page.context.set_offline(True)
        await alice.chat_says("This device is offline.")
        await alice.page.context.set_offline(False)
        await alice.page.clock.fast_forward(2000)
        await alice.send_message("hi")
        await alice.messages().filter(has_text="hi").wait_for()
        for row in shown:
            sent = counted[row] - before[row]
            assert sent > 100
            assert await alice.meter(row, "WebSocket") - shown[row] == pytest.approx(sent, rel=0.25)


async def test_page_without_a_network_says_so_and_connects_again(alice_in_general):
    await alice_in_general.chat_says("Connected.")
    await alice_in_general.page.context.set_offline(True)
    await alice_in_general.chat_says("This device is offline.")
    await alice_in_general.page.context.set_offline(False)
    await alice_in_general.page.clock.fast_forward(2000)
    await alice_in_general.send_message("back again")
    await alice_in_general.messages().filter(has_text="back again").wait_for()


async def test_nothing_counts_that_comes_late_from_a_socket_which_was_left(new_visitor):
    alice = await new_visitor("alice")
    held_back = []

    async def route(socket):
        server = socket.connect_to_server()
        if held_back:
            await socket.close()  # the second socket is refused
        server.on_message(lambda frame: held_back.append((socket, frame)))

    await alice.page.route_web_socket("**/ws/**", route)
    await alice.page.goto("/chat/")
    await alice.enter("General")
    await alice.send_message("too late")
    while not held_back:
        await alice.page.wait_for_timeout(50)
    await alice.page.evaluate("window.dispatchEvent(new Event('offline'))")
    await alice.chat_says("This device is offline.")
    socket, frame = held_back[0]
    socket.send(frame)
    await alice.page.clock.fast_forward(2000)
    await alice.chat_says("No connection to the server.")
    assert await alice.messages().count() == 0


async def test_page_stops_when_another_user_signs_in_in_this_browser(alice_in_general):
    await alice_in_general.chat_says("Connected.")
    await alice_in_general.page.get_by_label("New message").fill("by alice")
    bob = Visitor(await alice_in_general.page.context.new_page())
    await bob.sign_in("bob")
    await alice_in_general.page.get_by_role("button", name="Send").click()
    await alice_in_general.chat_says("Somebody signed in again in this browser. Reload the page.")
    assert await alice_in_general.page.get_by_label("New message").input_value() == "by alice"
    handshakes = alice_in_general.wire_log().filter(has_text="handshake")
    await alice_in_general.page.clock.fast_forward(60_000)
    assert await handshakes.count() == 1
    assert not await alice_in_general.wire_log().filter(has_text="by alice").count()


async def test_page_that_is_shown_again_stops_when_another_user_has_signed_in(alice_in_general):
    await alice_in_general.chat_says("Connected.")
    bob = Visitor(await alice_in_general.page.context.new_page())
    await bob.sign_in("bob")
    await alice_in_general.page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    await alice_in_general.chat_says("Somebody signed in again in this browser. Reload the page.")


async def test_page_at_a_name_below_localhost_connects(new_visitor, server):
    address = server.replace("127.0.0.1", "bob.localhost")
    bob = await new_visitor("bob", "General", base_url=address)
    await bob.send_message("hi")
    await bob.messages().filter(has_text="hi").wait_for()


async def test_page_keeps_a_message_until_it_is_connected_again(new_visitor, tmp_path):
    port = free_port()
    with run_server(tmp_path / "log", port=port) as url:
        alice = await new_visitor("alice", "General", base_url=url)
        await alice.chat_says("Connected.")
    await alice.chat_says("No connection to the server.")
    await alice.page.get_by_label("New message").fill("keep me")
    await alice.page.get_by_role("button", name="Send").click()
    await alice.form_says("Send it again in a moment.")
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
