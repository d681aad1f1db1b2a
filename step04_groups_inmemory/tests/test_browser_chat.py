import json

import pytest

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.usefixtures("live_demo")]


async def test_message_is_shown_to_everybody_in_the_room(alice_in_general, bob_in_general):
    await bob_in_general.chat_says("Connected.")
    await alice_in_general.send_message("hi")
    await alice_in_general.messages().filter(has_text="alice hi").wait_for()
    await bob_in_general.messages().filter(has_text="alice hi").wait_for()


async def test_notice_is_shown_as_a_notice(new_visitor, general):
    notice = {"msg_type": "notice", "room_id": general.pk, "message": "tea is ready"}
    alice = await new_visitor("alice", "General", change_frame=lambda _: [json.dumps(notice)])
    await alice.send_message("hi")
    await alice.messages().filter(has_text="Notice tea is ready").wait_for()
