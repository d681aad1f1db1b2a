import re

import pytest
from django.contrib.sessions.models import Session

from alert.models import Alert
from chat.models import Room

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


async def test_blank_message_is_answered_in_words_until_the_next_message(alice_in_general):
    await alice_in_general.send_message("   ")
    await alice_in_general.chat_says("Write something first.")
    assert await alice_in_general.meter("frames") == 1  # the handshake
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
        await alice.send_message("number one")
        await alice.messages().filter(has_text="number one").wait_for()
    await alice.chat_says("Not connected. Trying again in 1 s.")
    with run_server(tmp_path / "log", port=port):
        await alice.page.clock.fast_forward(60_000)
        await alice.send_message("back again")
        await alice.messages().filter(has_text="back again").wait_for()
    lines = await alice.wire_log()
    await lines.filter(has_text="?after=1 (handshake)").first.wait_for()


async def test_pause_doubles_with_each_try_in_vain_up_to_30_seconds(new_visitor, tmp_path):
    with run_server(tmp_path / "log") as url:
        alice = await new_visitor("alice", "General", base_url=url)
        await alice.chat_says("Connected.")
    await alice.chat_says("Not connected.")
    questions = (await alice.wire_log()).filter(has_text="HEAD")
    assert await questions.count() == 0  # it was open, so nobody has refused it
    for tries in range(6):
        await alice.page.clock.fast_forward(60_000)
        await questions.nth(tries).wait_for()
    text = await alice.page.locator("#chat [role=status]").inner_text()
    assert 15 <= int(re.search(r"in (\d+) s", text)[1]) <= 30


async def test_message_without_a_connection_is_kept_and_sent_later(new_visitor, tmp_path):
    port = free_port()
    with run_server(tmp_path / "log", port=port) as url:
        alice = await new_visitor("alice", "General", base_url=url)
        await alice.chat_says("Connected.")
    await alice.chat_says("Not connected.")
    await alice.page.get_by_label("New message").fill("keep me")
    await alice.page.get_by_role("button", name="Send").click()
    await alice.unsaved().filter(has_text="keep me").wait_for()
    assert await (await alice.wire_log()).filter(has_text="keep me").count() == 0
    with run_server(tmp_path / "log", port=port):
        await alice.page.clock.fast_forward(60_000)
        await alice.messages().filter(has_text="keep me").wait_for()
        assert await alice.unsaved().count() == 0


async def test_message_that_is_saved_and_has_not_come_yet_says_so(new_visitor):
    def hold_back(frame):
        return [] if '"msg_type": "message"' in frame else [frame]

    alice = await new_visitor("alice")
    await alice.tamper_with_frames(hold_back)
    await alice.enter("General")
    await alice.send_message("on its way")
    await alice.page.locator(".unsaved .saved", has_text="on its way").wait_for()


async def test_page_says_that_its_user_is_not_signed_in_any_more(alice_in_general):
    await alice_in_general.chat_says("Connected.")
    await Session.objects.all().adelete()
    await alice_in_general.chat_says("You are not signed in any more.")
    await stops_trying(alice_in_general)


async def test_page_says_that_its_user_is_not_in_the_room_any_more(alice_in_general, general):
    await alice_in_general.chat_says("Connected.")
    await general.users.aclear()
    await alice_in_general.chat_says("You are not in this room any more.")
    await stops_trying(alice_in_general)


async def stops_trying(visitor):
    """Check that the page doesn't connect again, however long it waits."""
    handshakes = (await visitor.wire_log()).filter(has_text="handshake")
    assert await handshakes.count() == 1
    await visitor.page.clock.fast_forward(3_600_000)
    assert await handshakes.count() == 1


async def test_page_that_comes_back_too_late_says_that_its_user_is_not_signed_in(
    new_visitor, tmp_path
):
    port = free_port()
    with run_server(tmp_path / "log", port=port) as url:
        alice = await new_visitor("alice", "General", base_url=url)
        await alice.chat_says("Connected.")
    await alice.chat_says("Not connected.")
    await Session.objects.all().adelete()
    with run_server(tmp_path / "log", port=port):
        await alice.page.clock.fast_forward(60_000)
        await alice.chat_says("You are not signed in any more.")


async def test_history_is_there_after_a_reload(alice_in_general):
    await alice_in_general.send_message("remember me")
    await alice_in_general.messages().filter(has_text="remember me").wait_for()
    await alice_in_general.page.reload()
    await alice_in_general.messages().filter(has_text="alice remember me").wait_for()


async def test_message_that_was_missed_is_fetched_and_shown_in_its_place(
    alice_in_general, new_visitor
):
    def lose_once(frame):
        if '"message": "one"' in frame and not lost:
            lost.append(frame)
            return []
        return [frame]

    lost = []
    bob = await new_visitor("bob")
    await bob.tamper_with_frames(lose_once)
    await bob.enter("General")
    await bob.chat_says("Connected.")
    for message in ["one", "two"]:
        await alice_in_general.send_message(message)
        await alice_in_general.messages().filter(has_text=message).wait_for()
    await bob.messages().filter(has_text="two").wait_for()
    assert lost
    assert [text.split()[1] for text in await bob.messages().all_inner_texts()] == ["one", "two"]


async def test_message_that_comes_twice_is_shown_once(new_visitor):
    alice = await new_visitor("alice")
    await alice.tamper_with_frames(lambda frame: [frame, frame])
    await alice.enter("General")
    for message in ["one", "two"]:
        await alice.send_message(message)
        await alice.messages().filter(has_text=message).wait_for()
    assert await alice.messages().count() == 2


async def test_page_starts_over_when_the_room_does(new_visitor, general, tmp_path):
    port = free_port()
    with run_server(tmp_path / "log", port=port) as url:
        alice = await new_visitor("alice", "General", base_url=url)
        await alice.send_message("of the old days")
        await alice.messages().filter(has_text="of the old days").wait_for()
    await Alert.objects.all().adelete()
    await Room.objects.aupdate(last_seq=0)
    with run_server(tmp_path / "log", port=port):
        await alice.page.clock.fast_forward(60_000)
        await alice.messages().wait_for(state="detached")
        await alice.page.clock.fast_forward(60_000)
        await alice.send_message("of the new days")
        await alice.messages().filter(has_text="of the new days").wait_for()


async def test_page_that_is_too_fast_sends_its_messages_again(new_visitor, tmp_path):
    limit = {"FRAMES_AT_ONCE": "2", "FRAMES_PER_SECOND": "4"}
    with run_server(tmp_path / "log", **limit) as url:
        alice = await new_visitor("alice", "General", base_url=url)
        for n in range(8):
            await alice.page.get_by_label("New message").fill(f"message {n}")
            await alice.page.get_by_label("New message").press("Enter")
        await alice.messages().nth(7).wait_for()
        assert await alice.unsaved().count() == 0
        await (await alice.wire_log()).filter(has_text="rate_limited").first.wait_for()
        assert await alice.meter("frames") < 100


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
