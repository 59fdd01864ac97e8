"""Two people in one conversation, in two browsers: who is here, who types, and what the other one says."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest
from playwright.sync_api import Locator, expect

from tests.browser.conftest import PHONE, Tab, Visitor
from tests.browser.test_page import _WIDER_THAN_THE_SCREEN


@dataclass
class Two:
    """Each has one tab open, in the same conversation."""

    ada: Tab
    grace: Tab
    elsewhere: Visitor
    """The browser of Grace, who may open it once more."""


def _here(tab: Tab) -> Locator:
    return tab.page.get_by_test_id("here")


def _aloud(tab: Tab) -> Locator:
    """What is said to those who listen, beside the replies."""
    return tab.page.get_by_role("status").last


def _together(visit: Callable[..., Visitor], **options: object) -> Two:
    elsewhere = visit(**options)
    ada, grace = visit().tab().open(), elsewhere.tab().open()
    asked = {"title": "A table for two", "members": [grace.ask("GET", "/v1/me")["id"]]}
    made = ada.ask("POST", "/v1/conversations", asked)
    for tab in (ada, grace):
        tab.open(f"#/c/{made['id']}")
        tab.page.reload()  # the address changes without a new page
        tab.connected()
    for tab in (ada, grace):
        expect(_here(tab)).to_have_text(
            "1 other here"
        )  # both follow it by now: what one does, the other sees
    return Two(ada, grace, elsewhere)


@pytest.fixture
def two(visit: Callable[..., Visitor]) -> Two:
    """Give both at their desks."""
    return _together(visit)


def test_who_is_here_comes_and_goes(two: Two) -> None:
    """Somebody else is here while a tab of theirs is open, once for all tabs; nobody, when the last one is closed."""
    second = two.elsewhere.tab().open(f"#/c/{two.ada.conversation}")
    expect(_here(second)).to_have_text("1 other here")
    two.grace.page.close()
    second.page.bring_to_front()
    expect(_here(two.ada)).to_have_text("1 other here")
    second.page.close()
    expect(_here(two.ada)).to_have_count(0)
    expect(_aloud(two.ada)).to_have_text("Nobody else is here.")
    two.elsewhere.tab().open(f"#/c/{two.ada.conversation}")
    expect(_here(two.ada)).to_have_text("1 other here")
    expect(_aloud(two.ada)).to_have_text("1 other here.")


def test_one_types_and_the_other_sees_it(two: Two) -> None:
    """From the first key until the message is there, which stands on the other side; never at one's own place."""
    two.grace.composer.press_sequentially("Good evening", delay=20)
    expect(two.ada.status).to_have_text("Somebody is typing")
    expect(_aloud(two.ada)).to_have_text("Somebody is typing.")
    expect(two.grace.status).to_have_text("")
    two.grace.composer.press("Enter")
    theirs = two.ada.page.get_by_role("article", name="Somebody else said")
    expect(theirs).to_have_text("Good evening")
    expect(_aloud(two.ada)).to_have_text("Somebody else said: Good evening")
    expect(two.grace.page.get_by_role("article", name="You said")).to_have_text("Good evening")
    two.ada.ended()
    expect(two.ada.status).to_have_text("")


@pytest.mark.parametrize("how", ["thinks better of it", "stops", "closes the tab"])
def test_typing_ends(two: Two, how: str) -> None:
    """Also without a message: the words are taken back, the keys are left alone, or the whole page is gone."""
    two.grace.composer.press_sequentially("Well", delay=20)
    expect(two.ada.status).to_have_text("Somebody is typing")
    if how == "thinks better of it":
        two.grace.composer.fill("")
    elif how == "closes the tab":
        two.grace.page.close()
    expect(two.ada.status).to_have_text("")


def test_company_on_a_phone(visit: Callable[..., Visitor]) -> None:
    """Both lines are there and fit, and a message of somebody else is told from one's own at a glance."""
    two = _together(visit, viewport=PHONE, has_touch=True, is_mobile=True)
    expect(_here(two.grace)).to_be_visible()
    two.ada.composer.press_sequentially("Good evening", delay=20)
    expect(two.grace.status).to_have_text("Somebody is typing")
    two.ada.composer.press("Enter")
    two.grace.ended()
    two.grace.composer.fill("And to you")
    two.grace.page.get_by_role("button", name="Send").tap()
    expect(two.grace.page.locator(".said .bubble")).to_have_count(2)
    expect(two.grace.page.locator(".sending")).to_have_count(0)  # it becomes another element then
    theirs, own = (one.bounding_box() for one in two.grace.page.locator(".said .bubble").all())
    assert theirs
    assert own
    assert theirs["x"] < own["x"]
    assert own["x"] + own["width"] > theirs["x"] + theirs["width"]
    assert not two.grace.page.evaluate(_WIDER_THAN_THE_SCREEN)
