import pytest

from alert.models import Alert
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
