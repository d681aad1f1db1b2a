import re

import pytest
from asgiref.sync import sync_to_async

from alert.models import Alert
from alert.posting import post_alert
from chat.models import Room

from .browsers import Visitor

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.usefixtures("live_demo")]


def unchanged(frame):
    return [frame]


async def test_message_is_shown_to_everybody_in_the_room(alice_in_general, bob_in_general):
    await bob_in_general.chat_says("Connected.")
    await alice_in_general.send_message("hi")
    await alice_in_general.messages().filter(has_text="alice hi").wait_for()
    await bob_in_general.messages().filter(has_text="alice hi").wait_for()


async def test_history_is_there_after_a_reload(alice_in_general):
    await alice_in_general.send_message("remember me")
    message = alice_in_general.messages().filter(has_text="alice remember me")
    await message.wait_for()
    await alice_in_general.page.reload()
    await message.locator("time[datetime]").wait_for()


async def test_page_on_plain_http_gives_its_messages_a_client_id(new_visitor):
    alice = await new_visitor("alice")
    await alice.page.add_init_script("delete Crypto.prototype.randomUUID")  # as on plain http
    await alice.page.goto("/chat/")
    await alice.enter("General")
    await alice.send_message("hi")
    await alice.messages().filter(has_text="alice hi").wait_for()
    assert (await Alert.objects.aget()).client_id is not None


async def test_page_keeps_what_is_not_saved_and_sends_it_when_it_is_connected_again(new_visitor):
    alice = await new_visitor("alice", "General", change_frame=unchanged)
    await alice.send_message("number one")
    await alice.messages().filter(has_text="number one").wait_for()
    await alice.cut_off()
    for message in ["number two", "number three"]:
        await alice.write(message)
    await alice.unsaved().filter(has_text="alice number three").wait_for()
    lines = alice.wire_log()
    assert await lines.filter(has_text="number three").count() == 0
    await alice.reconnect()
    await alice.messages().filter(has_text="number three").wait_for()
    texts = await alice.messages().all_inner_texts()
    assert [text.split()[2] for text in texts] == ["one", "two", "three"]
    assert await alice.unsaved().count() == 0
    await lines.filter(has_text="?after=1 (handshake)").first.wait_for()


async def test_pause_doubles_with_each_try_in_vain_up_to_30_seconds(new_visitor):
    alice = await new_visitor("alice", "General", change_frame=unchanged)
    await alice.chat_says("Connected.")
    await alice.cut_off()
    tries = alice.wire_log().filter(has_text="closed (code 4503)")
    for number in range(7):
        await alice.chat_says("Trying again")
        await alice.page.clock.fast_forward(30_000)
        await tries.nth(number).wait_for()
    await alice.chat_says("The server can’t reach")
    text = await alice.page.locator("#chat [role=status]").inner_text()
    assert 15 <= int(re.search(r"in (\d+) s", text)[1]) <= 30


async def test_message_that_is_refused_is_not_sent_again_but_can_be_edited(new_visitor):
    alice = await new_visitor("alice", "General", change_frame=unchanged)
    await alice.send_message("   ")
    await alice.form_says("Write something first.")
    await alice.page.locator(".unsaved .refused").wait_for()
    await alice.cut_off()
    await alice.reconnect()
    await alice.send_message("better")
    await alice.messages().filter(has_text="better").wait_for()
    assert await alice.wire_log().filter(has_text='→ {"message":"   "').count() == 1
    await alice.page.get_by_role("button", name="Edit").click()
    assert await alice.page.get_by_label("New message").input_value() == "   "
    assert await alice.unsaved().count() == 0


async def test_message_that_is_not_saved_survives_a_reload(new_visitor):
    alice = await new_visitor("alice", "General", change_frame=unchanged)
    await alice.chat_says("Connected.")
    await alice.cut_off()
    await alice.write("number one")
    await alice.page.reload()
    await alice.unsaved().filter(has_text="number one").wait_for()
    await alice.reconnect()
    await alice.messages().filter(has_text="number one").wait_for()
    await alice.page.reload()
    await alice.chat_says("Connected.")
    await alice.messages().filter(has_text="number one").wait_for()
    assert await alice.unsaved().count() == 0
    assert await Alert.objects.acount() == 1


async def test_two_tabs_with_the_same_outbox_save_it_once(new_visitor):
    alice = await new_visitor("alice", "General", change_frame=unchanged)
    await alice.chat_says("Connected.")
    await alice.cut_off()
    await alice.write("only once")
    async with alice.page.expect_popup() as opened:
        await alice.page.evaluate("window.open(location.href)")  # copies the sessionStorage
    copy = Visitor(await opened.value)
    await copy.messages().filter(has_text="only once").wait_for()
    await alice.reconnect()
    await alice.messages().filter(has_text="only once").wait_for()
    for tab in [alice, copy]:
        await tab.unsaved().wait_for(state="detached")
    assert await Alert.objects.acount() == 1


async def test_page_connects_as_soon_as_the_network_is_back(new_visitor):
    alice = await new_visitor("alice", "General")
    await alice.chat_says("Connected.")
    await alice.page.context.set_offline(True)
    await alice.chat_says("This device is offline. Trying again in")
    await alice.page.context.set_offline(False)
    await alice.chat_says("Connected.")


async def test_message_that_is_saved_and_has_not_come_yet_says_so(new_visitor):
    def hold_back(frame):
        return [] if '"msg_type": "message"' in frame else [frame]

    alice = await new_visitor("alice", "General", change_frame=hold_back)
    await alice.send_message("on its way")
    await alice.page.locator(".unsaved .saved", has_text="on its way").wait_for()


async def shows(visitor, *messages):
    """Wait for the last of those messages, then check that the page shows these alone, in order."""
    await visitor.messages().filter(has_text=messages[-1]).wait_for()
    texts = await visitor.messages().all_inner_texts()
    assert [text.split()[1] for text in texts] == list(messages)


async def test_message_that_was_missed_is_fetched_and_shown_in_its_place(
    new_visitor, general, alice
):
    def lose_once(frame):
        if '"message": "one"' in frame and not lost:
            lost.append(frame)
            return []
        return [frame]

    lost = []
    bob = await new_visitor("bob", "General", change_frame=lose_once)
    await bob.chat_says("Connected.")
    for message in ["one", "two"]:
        await sync_to_async(post_alert)(general, alice, message)
    await shows(bob, "one", "two")
    assert lost


async def test_messages_that_come_while_a_missed_one_is_fetched_wait_for_it(
    new_visitor, general, alice
):
    def lose_and_hold_back(frame):
        if '"msg_type": "message"' not in frame or len(seen) == 3:
            return [frame]
        seen.append(frame)
        return seen[1:] if len(seen) == 3 else []

    seen = []
    bob = await new_visitor("bob", "General", change_frame=lose_and_hold_back)
    await bob.chat_says("Connected.")
    for message in ["one", "two", "three"]:
        await sync_to_async(post_alert)(general, alice, message)
    await shows(bob, "one", "two", "three")


async def test_message_that_was_deleted_holds_nothing_up(alice_in_general, general, alice):
    await alice_in_general.chat_says("Connected.")
    for message in ["one", "two", "three"]:
        await sync_to_async(post_alert)(general, alice, message)
    await alice_in_general.messages().filter(has_text="three").wait_for()
    await Room.objects.filter(pk=general.pk).aupdate(last_seq=4)  # number 4 was deleted
    await sync_to_async(post_alert)(general, alice, "five")
    await shows(alice_in_general, "one", "two", "three", "five")


async def test_message_that_comes_twice_is_shown_once(new_visitor):
    alice = await new_visitor("alice", "General", change_frame=lambda frame: [frame, frame])
    for message in ["one", "two"]:
        await alice.send_message(message)
        await alice.messages().filter(has_text=message).wait_for()
    await shows(alice, "one", "two")


async def test_page_notices_a_line_that_gives_no_answer(new_visitor):
    def answer(frame):
        return [] if dead else [frame]

    dead = []
    alice = await new_visitor("alice", "General", change_frame=answer)
    await alice.send_message("hi")
    await alice.messages().filter(has_text="hi").wait_for()
    dead.append(True)
    for pause in [15_000, 10_000]:  # until the page asks, and until it gives up
        await alice.page.clock.fast_forward(pause)
    await alice.chat_says("The server isn’t answering. Trying again in")
    dead.clear()
    await alice.reconnect()
    await alice.send_message("back again")
    await alice.messages().filter(has_text="back again").wait_for()


async def test_page_notices_a_handshake_after_which_nothing_comes(new_visitor):
    alice = await new_visitor("alice", "General", change_frame=lambda frame: [])
    await alice.chat_says("Connected.")
    await alice.page.clock.fast_forward(10_000)
    await alice.chat_says("The server isn’t answering. Trying again in")


async def test_line_that_answers_stays_open(alice_in_general):
    lines = alice_in_general.wire_log()
    for number in range(3):
        await lines.filter(has_text='"synced"').nth(number).wait_for()
        await alice_in_general.page.clock.fast_forward(15_000)
    assert await lines.filter(has_text="handshake").count() == 1


async def test_page_starts_over_when_the_room_does(alice_in_general):
    await alice_in_general.send_message("old")
    await alice_in_general.messages().filter(has_text="old").wait_for()
    await Alert.objects.all().adelete()
    await Room.objects.aupdate(last_seq=0)
    await alice_in_general.page.clock.fast_forward(15_000)
    await alice_in_general.messages().wait_for(state="detached")
    await alice_in_general.page.clock.fast_forward(60_000)
    await alice_in_general.send_message("new")
    await alice_in_general.messages().filter(has_text="new").wait_for()
    assert await alice_in_general.messages().count() == 1


async def test_page_sends_its_messages_as_the_user_who_wrote_them_alone(new_visitor):
    alice = await new_visitor("alice", "General", change_frame=unchanged)
    await alice.chat_says("Connected.")
    await alice.cut_off()
    await alice.write("by alice")
    tab = Visitor(await alice.page.context.new_page())
    await tab.sign_in("bob")
    await alice.reconnect()
    await alice.chat_says("Somebody signed in again in this browser. Reload the page.")
    handshakes = alice.wire_log().filter(has_text="handshake")
    tries = await handshakes.count()
    await alice.page.clock.fast_forward(3_600_000)
    assert await handshakes.count() == tries
    await alice.page.get_by_role("link", name="Reload the page.").click()
    await alice.chat_says("Connected.")  # as bob
    assert await alice.unsaved().count() == 0
    assert not await Alert.objects.aexists()
    await tab.sign_in("alice")
    await alice.page.reload()
    await alice.messages().filter(has_text="by alice").wait_for()
    assert (await Alert.objects.select_related("user").aget()).user.username == "alice"
