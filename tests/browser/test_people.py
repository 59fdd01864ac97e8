"""Who takes part, on the page: who began a conversation asks others in and takes them out; all see who is there."""

from collections.abc import Callable

from playwright.sync_api import Locator, expect

from tests.browser.conftest import PHONE, Tab, Visitor
from tests.browser.test_list import _choose
from tests.browser.test_page import _WIDER_THAN_THE_SCREEN

_TITLE = "Say yes, at a round table."


def _people(tab: Tab, item: Locator) -> Locator:
    """Open the dialog from a conversation's menu."""
    _choose(tab.page, item, "People")
    return tab.page.get_by_role("dialog", name="Who takes part")


def _item(tab: Tab) -> Locator:
    return tab.page.locator(".item").filter(has_text=_TITLE)


def test_asked_in_and_taken_out(visit: Callable[..., Visitor]) -> None:
    """By the id that one reads where the other copies it; the other's list has it at once, and not any more at once."""
    ada, grace = visit().tab().open(), visit().tab().open()
    for tab, text in ((ada, _TITLE), (grace, "Say no.")):
        tab.say(text)
        tab.ended()
    own = _people(grace, grace.page.locator(".item"))
    expect(own.get_by_role("listitem")).to_have_text(["Youbegan it"])
    known = own.locator("code").inner_text()
    assert known == grace.ask("GET", "/v1/me")["id"]
    own.get_by_role("button", name="Copy").click()
    expect(own.get_by_role("button", name="Copied")).to_be_visible()
    grace.page.keyboard.press("Escape")
    expect(own).to_have_count(0)

    asking = _people(ada, _item(ada))
    field, ask = asking.get_by_label("Ask somebody in"), asking.locator("form button")
    expect(ask).to_be_disabled()
    field.fill(f" {known} ")
    field.press("Enter")
    expect(asking.get_by_role("listitem")).to_have_text(["Youbegan it", known])
    expect(field).to_have_value("")
    field.fill(known)
    expect(ask).to_have_text("Takes part")
    expect(ask).to_be_disabled()

    expect(_item(grace)).to_have_count(1, timeout=20_000)
    seen = _people(grace, _item(grace))
    expect(seen.get_by_role("listitem")).to_have_text(["You", f"{ada.ask('GET', '/v1/me')['id']}began it"])
    expect(seen.get_by_role("textbox")).to_have_count(0)
    seen.get_by_role("button", name="Close").click()

    asking.get_by_role("button", name=f"Take {known} out").click()
    expect(asking.get_by_role("listitem")).to_have_text(["Youbegan it"])
    expect(_item(grace)).to_have_count(0, timeout=20_000)


def test_what_is_refused_is_said(visitor: Visitor, tab: Tab) -> None:
    """In the dialog, where it can be mended; what was typed stays."""
    visitor.forgives = ("422",)
    tab.say(_TITLE)
    tab.ended()
    members = [f"usr_{number}" for number in range(100)]
    tab.ask("PATCH", f"/v1/conversations/{tab.conversation}", {"members": members})
    tab.page.reload()
    tab.connected()
    dialog = _people(tab, _item(tab))
    expect(dialog.get_by_role("listitem")).to_have_count(101)
    dialog.get_by_label("Ask somebody in").fill("usr_100")
    dialog.get_by_label("Ask somebody in").press("Enter")
    expect(dialog.get_by_role("alert")).to_contain_text("100")
    expect(dialog.get_by_label("Ask somebody in")).to_have_value("usr_100")


def test_on_a_phone(visit: Callable[..., Visitor]) -> None:
    """All of it fits, a long id as well."""
    tab = visit(viewport=PHONE, has_touch=True).tab().open()
    tab.say(_TITLE)
    tab.ended()
    dialog = _people(tab, tab.page.get_by_role("main"))
    dialog.get_by_label("Ask somebody in").fill("x" * 128)
    dialog.get_by_role("button", name="Ask in").click()
    expect(dialog.get_by_role("listitem")).to_have_count(2)
    assert not tab.page.evaluate(_WIDER_THAN_THE_SCREEN)
    box = dialog.bounding_box()
    assert box is not None
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= PHONE["width"]
