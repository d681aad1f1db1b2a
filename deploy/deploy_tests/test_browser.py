import pytest

ADMIN_PAGES = [
    "",
    "auth/user/",
    "auth/user/1/change/",
    "auth/user/add/",
    "chat/room/",
    "chat/room/1/change/",
    "chat/room/add/",
    "alert/alert/",
    "password_change/",
]


async def test_chat_works_under_the_policy(visitor):
    await visitor.page.goto("/")
    await visitor.sign_in("alice")
    await visitor.enter("General")
    await visitor.send_message("from a real page")
    await visitor.messages().filter(has_text="from a real page").wait_for()
    await visitor.page.goto("/chat/room/2/")
    await visitor.chat_says("Connected.")
    assert visitor.problems == []


async def test_admin_works_under_the_policy(visitor):
    await visitor.sign_in("teacher")
    for page in ADMIN_PAGES:
        response = await visitor.page.goto(f"/admin/{page}")
        await visitor.page.wait_for_load_state()
        assert response.status == 200
    assert visitor.problems == []


async def test_admin_adds_a_member_to_a_room(visitor):
    await visitor.sign_in("teacher")
    await visitor.page.goto("/admin/chat/room/2/change/")
    await visitor.page.get_by_label("Name").fill("Workshop")
    await visitor.page.locator("#id_users_from option").first.dblclick()
    await visitor.page.get_by_role("button", name="Save", exact=True).click()
    await visitor.page.get_by_text("was changed successfully").wait_for()
    assert visitor.problems == []


@pytest.mark.parametrize("page", ["/accounts/login/", "/chat/"])
async def test_policy_stops_an_injected_script(visitor, page):
    await visitor.page.goto(page)
    script = "element = document.createElement('script'); element.text = 'window.ran = 1';"
    await visitor.page.evaluate(f"{script} document.body.append(element)")
    assert await visitor.page.evaluate("window.ran") is None
    assert "Content Security Policy" in visitor.problems[0]
