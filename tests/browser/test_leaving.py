"""Whoever was asked to a table may leave it: from the menu, by the keyboard, on a phone, and on all their devices."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Locator, expect

from tests.browser.conftest import PHONE, Tab, Visitor
from tests.browser.test_page import _WIDER_THAN_THE_SCREEN

_TITLE = "A table for two"


@pytest.fixture
def ada(visit: Callable[..., Visitor]) -> Tab:
    """Give the tab of whoever owns the table."""
    return visit().tab().open()


def _asked(ada: Tab, grace: Tab) -> str:
    """Have Ada ask Grace to a table, where she says something."""
    made = ada.ask(
        "POST", "/v1/conversations", {"title": _TITLE, "members": [grace.ask("GET", "/v1/me")["id"]]}
    )
    ada.ask("POST", f"/v1/conversations/{made['id']}/messages", {"text": "Sit down, Grace.", "reply": False})
    return made["id"]


def _item(tab: Tab) -> Locator:
    return tab.page.locator(".item").filter(has_text=_TITLE)


def _at_the_table(tab: Tab, conversation: str) -> None:
    """Have its conversation in sight, and in the list."""
    tab.page.goto(f"{tab.url}/#/c/{conversation}")
    expect(tab.page.locator(".message")).to_contain_text(["Sit down, Grace."])
    expect(_item(tab)).to_have_count(1, timeout=20_000)


def _elsewhere(tab: Tab) -> None:
    """Wait until it is gone, and the page shows what it shows after a deletion; it stays so after a reload."""
    for _ in range(2):
        expect(tab.page.get_by_text("Pull up a chair.")).to_be_visible()
        expect(_item(tab)).to_have_count(0)
        expect(tab.page).to_have_url(re.compile(r"/(#/)?$"))
        tab.page.reload()
        tab.connected()


def test_a_member_leaves(ada: Tab, visit: Callable[..., Visitor]) -> None:
    """After a question; on another device, where it was in sight as well; and who stays goes on without them."""
    grace = visit()
    here, there, listing = (grace.tab().open() for _ in range(3))
    conversation = _asked(ada, here)
    for tab in (here, there, ada):
        _at_the_table(tab, conversation)
    expect(_item(listing)).to_have_count(1, timeout=20_000)
    more = here.page.get_by_role("main").get_by_role("button", name="More")
    more.click()
    menu = here.page.get_by_role("menu")
    expect(menu.get_by_role("menuitem", name="Delete")).to_have_count(0)
    menu.get_by_role("menuitem", name="Leave").click()
    dialog = here.page.get_by_role("dialog", name="Leave the conversation")
    expect(dialog).to_contain_text(_TITLE)
    dialog.get_by_role("button", name="Stay").click()
    expect(dialog).to_have_count(0)
    expect(_item(here)).to_have_count(1)
    more.click()
    here.page.get_by_role("menuitem", name="Leave").click()
    dialog.get_by_role("button", name="Leave", exact=True).click()
    expect(here.page.get_by_role("alert")).to_have_text("")
    expect(_item(listing)).to_have_count(0, timeout=20_000)
    expect(there.page.get_by_role("alert")).to_have_text(f"You take part in “{_TITLE}” no longer.")
    for tab in (here, there, listing):
        _elsewhere(tab)
    assert ada.ask("GET", f"/v1/conversations/{conversation}")["members"] == []
    expect(ada.page.locator(".message")).to_contain_text(["Sit down, Grace."])
    expect(_item(ada)).to_have_count(1)


def test_its_owner_deletes_and_does_not_leave(ada: Tab, visit: Callable[..., Visitor]) -> None:
    """Nobody is offered what would be refused: who owns it can delete it, and who was asked to it can leave."""
    _at_the_table(ada, _asked(ada, visit().tab().open()))
    _item(ada).hover()
    expect(_item(ada).get_by_role("button", name="Leave")).to_have_count(0)
    _item(ada).get_by_role("button", name="More").click()
    expect(ada.page.get_by_role("menuitem", name="Leave")).to_have_count(0)
    expect(ada.page.get_by_role("menuitem", name="Delete")).to_be_visible()


def test_leaving_by_keyboard(ada: Tab, tab: Tab) -> None:
    """The key that deletes what is one's own leaves what is somebody else's, after the same kind of question."""
    conversation = _asked(ada, tab)
    _at_the_table(tab, conversation)
    keys = tab.page.keyboard
    link = _item(tab).get_by_role("link")
    link.focus()
    keys.press("Delete")
    dialog = tab.page.get_by_role("dialog", name="Leave the conversation")
    expect(dialog).to_be_visible()
    keys.press("Escape")
    expect(dialog).to_have_count(0)
    expect(link).to_be_focused()
    keys.press("Delete")
    expect(dialog.get_by_role("button", name="Stay")).to_be_focused()
    keys.press("Tab")
    expect(dialog.get_by_role("button", name="Leave", exact=True)).to_be_focused()
    keys.press("Enter")
    _elsewhere(tab)


def test_leaving_on_a_phone_in_the_dark(ada: Tab, visit: Callable[..., Visitor]) -> None:
    """Menu and question are within the screen, the button can be hit and read, and the list has it no longer."""
    tab = visit(viewport=PHONE, has_touch=True, is_mobile=True, color_scheme="dark").tab().open()
    tab.page.goto(f"{tab.url}/#/c/{_asked(ada, tab)}")
    expect(tab.page.locator(".message")).to_contain_text(["Sit down, Grace."])
    tab.page.get_by_role("main").get_by_role("button", name="More").tap()
    menu = tab.page.get_by_role("menu")
    expect(menu).to_be_in_viewport(ratio=1)
    menu.get_by_role("menuitem", name="Leave").tap()
    dialog = tab.page.get_by_role("dialog", name="Leave the conversation")
    expect(dialog).to_be_in_viewport(ratio=1)
    leave = dialog.get_by_role("button", name="Leave", exact=True)
    box = leave.bounding_box()
    assert box
    assert box["height"] >= 36
    assert not tab.page.evaluate(_WIDER_THAN_THE_SCREEN)
    leave.tap()
    expect(tab.page.get_by_text("Pull up a chair.")).to_be_visible()
    tab.page.get_by_role("button", name="Conversations").tap()
    expect(tab.page.get_by_role("navigation", name="Conversations")).to_be_visible()
    expect(_item(tab)).to_have_count(0)
