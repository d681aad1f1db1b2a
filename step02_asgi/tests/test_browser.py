import pytest

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.usefixtures("live_demo")]


async def test_alert_of_one_user_is_polled_by_the_other(alice_in_general, bob_in_general):
    await alice_in_general.post_alert("lunch at one")
    await bob_in_general.poll()
    await bob_in_general.alerts().filter(has_text="lunch at one").wait_for()
