import pytest

from .browsers import skip_or_fail

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.usefixtures("live_demo")]

# The right edge of whatever stands inside a panel, in pixels; the panel's padding follows it.
WIDEST_RIGHT_EDGE = """
    Math.max(0, ...Array.from(
        document.querySelectorAll(".panel *"), (element) => element.getBoundingClientRect().right
    ))
"""


async def test_alice_signs_in_and_sees_her_rooms(new_visitor):
    alice = await new_visitor()
    await alice.sign_in("alice")
    assert await alice.page.locator(".cards a").all_inner_texts() == ["General", "Workshop"]


async def test_outsider_is_turned_away_from_a_room(new_visitor, general):
    carol = await new_visitor()
    await carol.sign_in("carol")
    response = await carol.page.goto(f"/chat/room/{general.pk}/")
    assert response.status == 403
    assert await carol.page.get_by_role("heading", name="isn’t open to you").is_visible()


async def test_signing_out_leads_to_the_login_page(alice_in_general):
    await alice_in_general.page.get_by_role("button", name="Sign out").click()
    await alice_in_general.page.get_by_role("heading", name="Sign in").wait_for()


@pytest.mark.parametrize(
    ("width", "scheme"), [(390, "dark"), (1280, "light")], ids=["phone", "desktop"]
)
async def test_axe_finds_nothing_and_nothing_is_cut_off(new_visitor, width, scheme):
    try:
        from axe_playwright_python.async_playwright import Axe
    except ImportError:
        skip_or_fail("no accessibility test without axe-playwright-python")
    alice = await new_visitor(viewport={"width": width, "height": 800}, color_scheme=scheme)

    async def check_page():
        results = await Axe().run(alice.page)
        assert results.violations_count == 0, results.generate_report()
        assert await alice.page.evaluate(WIDEST_RIGHT_EDGE) <= width - 16

    await alice.page.goto("/accounts/login/")
    await check_page()
    await alice.sign_in("alice")
    await check_page()
    await alice.enter("General")
    await alice.send_message("hello")
    await alice.wire_log()
    await check_page()
    await alice.page.goto("/chat/room/0/")
    await check_page()
