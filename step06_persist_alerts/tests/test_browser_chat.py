import pytest

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.usefixtures("live_demo")]


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
