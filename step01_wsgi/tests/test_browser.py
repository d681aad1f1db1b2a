import pytest

from .browsers import skip_or_fail

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.usefixtures("live_demo")]

# The right edge of whatever stands inside a panel, in pixels; the panel's padding follows it.
WIDEST_RIGHT_EDGE = """
    Math.max(0, ...Array.from(
        document.querySelectorAll(".panel *"), (element) => element.getBoundingClientRect().right
    ))
"""


async def test_alert_of_one_user_is_polled_by_the_other(alice_in_general, bob_in_general):
    await alice_in_general.post_alert("lunch at one")
    await bob_in_general.poll()
    await bob_in_general.alerts().filter(has_text="lunch at one").wait_for()


async def test_alert_is_shown_once_over_several_polls(alice_in_general):
    await alice_in_general.post_alert("only once")
    await alice_in_general.poll()
    await alice_in_general.alerts().wait_for()
    await alice_in_general.poll()
    await alice_in_general.page.get_by_text(": 0 new").wait_for()
    assert await alice_in_general.alerts().count() == 1


async def test_alert_that_looks_like_html_is_text(alice_in_general):
    await alice_in_general.post_alert("<b id=loud>loud</b>")
    await alice_in_general.poll()
    await alice_in_general.alerts().filter(has_text="<b id=loud>loud</b>").wait_for()
    assert await alice_in_general.page.locator("#loud").count() == 0


async def test_meter_and_wire_log_show_requests_that_bring_nothing(alice_in_general):
    await alice_in_general.page.get_by_text(": 0 new").wait_for()
    requests = await alice_in_general.meter("requests")
    await alice_in_general.poll()
    await alice_in_general.page.get_by_text(": 0 new").wait_for()
    assert await alice_in_general.meter("requests") > requests > 0
    assert await alice_in_general.meter("request-bytes") >= 2 * len('{"alerts": []}')
    assert await alice_in_general.meter("alerts") == 0
    lines = await alice_in_general.wire_log()
    await lines.filter(has_text="→ GET /alert/latest/?after=0").first.wait_for()
    await lines.filter(has_text='← 200 {"alerts": []}').first.wait_for()


async def test_page_polls_again_after_a_poll_that_failed(alice_in_general):
    await alice_in_general.page.get_by_text(": 0 new").wait_for()
    await alice_in_general.page.route("**/alert/latest/**", lambda route: route.abort())
    await alice_in_general.page.clock.fast_forward(2000)
    await alice_in_general.page.get_by_text("No answer").wait_for()
    await alice_in_general.page.unroute("**/alert/latest/**")
    await alice_in_general.poll()
    await alice_in_general.page.get_by_text(": 0 new").wait_for()


async def test_alert_that_is_refused_is_answered_in_words_that_stay(alice_in_general):
    await alice_in_general.post_alert("   ")
    problem = alice_in_general.page.get_by_role("alert").filter(has_text="Not posted: content")
    await problem.wait_for()
    await alice_in_general.poll()
    assert await problem.is_visible()
    await alice_in_general.post_alert("better")
    await problem.wait_for(state="detached")


async def test_page_says_that_the_user_was_signed_out(alice_in_general):
    await alice_in_general.page.context.clear_cookies()
    await alice_in_general.page.clock.fast_forward(2000)
    await alice_in_general.page.get_by_text("You are signed out").wait_for()


async def test_signing_out_leads_to_the_login_page(alice_in_general):
    await alice_in_general.page.get_by_role("button", name="Sign out").click()
    await alice_in_general.page.get_by_role("heading", name="Sign in").wait_for()


async def test_axe_finds_nothing_and_nothing_is_cut_off(new_visitor):
    try:
        from axe_playwright_python.async_playwright import Axe
    except ImportError:
        skip_or_fail("no accessibility test without axe-playwright-python")
    alice = await new_visitor()

    async def check_page():
        for width, scheme in [(390, "dark"), (1280, "light")]:
            await alice.page.set_viewport_size({"width": width, "height": 800})
            await alice.page.emulate_media(color_scheme=scheme)
            results = await Axe().run(alice.page)
            assert results.violations_count == 0, results.generate_report()
            assert await alice.page.evaluate(WIDEST_RIGHT_EDGE) <= width - 16

    await alice.page.goto("/accounts/login/")
    await check_page()
    await alice.sign_in("alice")
    await check_page()
    await alice.enter("General")
    await alice.post_alert("hello")
    await alice.poll()
    await alice.wire_log()
    await check_page()
    await alice.page.goto("/chat/room/0/")
    await check_page()
