import pytest

from .browsers import skip_or_fail

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.usefixtures("live_demo")]

# The right edge of whatever stands inside a panel, in pixels; the panel's padding follows it.
WIDEST_RIGHT_EDGE = """
    Math.max(0, ...Array.from(
        document.querySelectorAll(".panel *"), (element) => element.getBoundingClientRect().right
    ))
"""
LOWEST_PANEL = """
    Math.max(...Array.from(
        document.querySelectorAll(".panel"), (panel) => panel.getBoundingClientRect().bottom
    ))
"""


async def test_axe_finds_nothing_and_nothing_is_cut_off(alice_in_general):
    try:
        from axe_playwright_python.async_playwright import Axe
    except ImportError:
        skip_or_fail("no accessibility test without axe-playwright-python")
    alice, page = alice_in_general, alice_in_general.page
    await alice.send_message("hello")
    await alice.messages().filter(has_text="hello").wait_for()
    for width, scheme in [(390, "dark"), (1280, "light")]:
        await page.set_viewport_size({"width": width, "height": 720})
        await page.emulate_media(color_scheme=scheme)
        results = await Axe().run(page)
        assert results.violations_count == 0, results.generate_report()
        assert await page.evaluate(WIDEST_RIGHT_EDGE) <= width - 16
    assert await page.evaluate(LOWEST_PANEL) <= 720
