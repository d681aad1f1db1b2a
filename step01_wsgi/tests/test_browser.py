from collections import Counter
from datetime import UTC, datetime

import pytest
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session

from alert.models import Alert

from .browsers import Visitor, skip_or_fail
from .proxies import count_bytes

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.usefixtures("live_demo")]

# The right edge of whatever stands inside a panel, in pixels; the panel's padding follows it.
WIDEST_RIGHT_EDGE = """
    Math.max(0, ...Array.from(
        document.querySelectorAll(".panel *"), (element) => element.getBoundingClientRect().right
    ))
"""
AT_END = """() => {
    const feed = document.querySelector(".feed");
    return feed.scrollTop > 0 && feed.scrollTop + feed.clientHeight > feed.scrollHeight - 2;
}"""
BOTTOMS_OF_PANELS = """
    Array.from(document.querySelectorAll(".panel"), (panel) => panel.getBoundingClientRect().bottom)
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


async def test_meter_counts_requests_that_bring_nothing(alice_in_general):
    await alice_in_general.page.get_by_text(": 0 new").wait_for()
    requests = await alice_in_general.meter("requests")
    await alice_in_general.poll()
    await alice_in_general.page.get_by_text(": 0 new").wait_for()
    assert await alice_in_general.meter("requests") > requests > 0
    assert await alice_in_general.meter("empty") > 0
    assert await alice_in_general.meter("messages") == 0


async def test_meter_counts_about_the_bytes_that_a_proxy_counts(new_visitor, server):
    async with count_bytes(server) as (address, counted):
        alice = await new_visitor("alice", "General", base_url=address)
        await alice.page.get_by_text(": 0 new").wait_for()
        polls = 5
        before = Counter(counted)
        shown = {row: await alice.meter(row) for row in ["sent", "received"]}
        for _ in range(polls):
            await alice.poll()
        for row in shown:
            sent = counted[row] - before[row]
            assert sent > polls * 200
            assert await alice.meter(row) - shown[row] == pytest.approx(sent, rel=0.25)


async def test_wire_log_shows_the_newest_line_last_and_can_be_cleared(alice_in_general):
    await alice_in_general.page.get_by_text(": 0 new").wait_for()
    lines = alice_in_general.wire_log()
    await lines.first.filter(has_text="→ GET /alert/latest/?after=0").wait_for()
    await lines.last.filter(has_text='← 200 {"alerts": []}').wait_for()
    await alice_in_general.page.get_by_role("button", name="Clear").click()
    assert await lines.count() == 0


async def test_wire_log_shortens_a_long_line_until_it_is_clicked(alice_in_general):
    await alice_in_general.post_alert("long" * 50)
    await alice_in_general.poll()
    line = alice_in_general.wire_log().filter(has_text='← 200 {"alerts": [{').first
    await line.locator("details").wait_for()
    assert "+00:00" not in await line.inner_text()
    await line.locator("summary").click()
    assert "+00:00" in await line.inner_text()


async def test_own_alerts_are_told_apart_from_those_of_others(alice_in_general, bob_in_general):
    await alice_in_general.post_alert("by alice")
    await bob_in_general.post_alert("by bob")
    await alice_in_general.poll()
    await alice_in_general.alerts().filter(has_text="by bob").wait_for()
    assert await alice_in_general.page.locator(".feed .own bdi:last-of-type").all_inner_texts() == [
        "by alice"
    ]


async def test_right_to_left_name_and_text_stay_in_their_places(alice_in_general):
    user = await User.objects.acreate(username="עידו")
    await Alert.objects.acreate(user=user, content="שלום 2!")
    await alice_in_general.poll()
    parts = alice_in_general.alerts().filter(has_text="שלום").locator("> *")
    boxes = [await parts.nth(n).bounding_box() for n in range(3)]
    assert boxes[0]["x"] < boxes[1]["x"] < boxes[2]["x"]


async def test_alerts_of_an_earlier_day_stand_under_their_date(new_visitor, alice):
    for day in [25, 25, 26]:
        alert = await Alert.objects.acreate(user=alice, content=f"on the {day}th")
        await Alert.objects.filter(pk=alert.pk).aupdate(
            create_at=datetime(2024, 3, day, tzinfo=UTC)
        )
    visitor = await new_visitor("alice", "General", timezone_id="UTC", locale="en-GB")
    await visitor.alerts().filter(has_text="on the 26th").wait_for()
    texts = [text.split(" alice")[0] for text in await visitor.alerts().all_inner_texts()]
    assert texts[0] == "Monday, 25 March 2024" or texts[0] == "Monday 25 March 2024"
    assert [text.startswith("Tuesday") for text in texts].count(True) == 1
    assert len(texts) == 5


async def test_empty_feed_says_what_to_try(alice_in_general):
    hint = alice_in_general.page.get_by_text("No alerts yet.")
    await hint.wait_for()
    await alice_in_general.post_alert("the first one")
    await alice_in_general.poll()
    await hint.wait_for(state="hidden")


async def test_reader_who_has_scrolled_up_stays_there(alice_in_general, alice):
    await Alert.objects.abulk_create(Alert(user=alice, content=f"line {n}") for n in range(60))
    await alice_in_general.poll()
    feed = alice_in_general.page.get_by_role("log")
    newest = alice_in_general.page.get_by_role("button", name="New alerts")
    await alice_in_general.alerts().filter(has_text="line 59").wait_for()
    await alice_in_general.page.wait_for_function(AT_END)
    await feed.evaluate("feed => { feed.scrollTop = 100; }")
    await alice_in_general.post_alert("one more")
    await alice_in_general.poll()
    await newest.wait_for()
    assert await feed.evaluate("feed => feed.scrollTop") == 100
    await newest.click()
    await alice_in_general.page.wait_for_function(AT_END)
    await newest.wait_for(state="hidden")


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
    await Session.objects.all().adelete()
    await alice_in_general.page.clock.fast_forward(2000)
    await alice_in_general.page.get_by_text("You are signed out. Reload the page.").wait_for()
    await alice_in_general.wire_log().last.filter(has_text="redirect to the login page").wait_for()


async def test_page_stops_when_another_user_signs_in_in_this_browser(alice_in_general):
    await alice_in_general.page.get_by_text(": 0 new").wait_for()
    field = alice_in_general.page.get_by_label("New alert")
    await field.fill("by alice")
    bob = Visitor(await alice_in_general.page.context.new_page())
    await bob.sign_in("bob")
    await alice_in_general.page.get_by_role("button", name="Post").click()
    await alice_in_general.page.get_by_text("Somebody signed in again").wait_for()
    requests = await alice_in_general.meter("requests")
    await alice_in_general.page.clock.fast_forward(60_000)
    assert await alice_in_general.meter("requests") == requests
    assert await field.is_disabled()
    assert await field.input_value() == "by alice"
    assert not await Alert.objects.aexists()
    await alice_in_general.page.get_by_role("link", name="Reload the page.").click()
    await (
        alice_in_general.page.get_by_role("navigation", name="Account")
        .get_by_text("bob")
        .wait_for()
    )


async def test_signing_out_leads_to_the_login_page(alice_in_general):
    await alice_in_general.page.get_by_role("button", name="Sign out").click()
    await alice_in_general.page.get_by_role("heading", name="Sign in").wait_for()


async def test_back_after_signing_out_shows_no_alerts(alice_in_general):
    await alice_in_general.post_alert("for our eyes only")
    await alice_in_general.page.get_by_role("button", name="Sign out").click()
    await alice_in_general.page.get_by_role("heading", name="Sign in").wait_for()
    await alice_in_general.page.go_back()
    await alice_in_general.page.get_by_role("heading", name="Sign in").wait_for()


async def test_everything_fits_into_a_window_of_1280_by_720(alice_in_general):
    await alice_in_general.page.set_viewport_size({"width": 1280, "height": 720})
    await alice_in_general.page.get_by_text(": 0 new").wait_for()
    bottoms = await alice_in_general.page.evaluate(BOTTOMS_OF_PANELS)
    assert len(bottoms) == 3
    assert max(bottoms) <= 720
    for part in [".feed", "#wire .wire"]:
        assert (await alice_in_general.page.locator(part).bounding_box())["height"] > 150


async def test_header_of_the_teacher_is_two_lines_on_a_phone(new_visitor):
    teacher = await new_visitor("teacher")
    await teacher.page.set_viewport_size({"width": 390, "height": 844})
    await teacher.page.goto("/chat/")
    assert (await teacher.page.locator(".bar").bounding_box())["height"] < 80


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
    await check_page()
    await alice.page.goto("/chat/room/0/")
    await check_page()
