"""The page of a server that knows its users: a token is asked for, and one that is not accepted is told of."""

from collections.abc import Generator

import pytest
from playwright.sync_api import Browser, expect

from server.web.auth import Tokens, User
from tests.browser.conftest import DESKTOP, Visitor
from tests.support.up import Up

_SECRET = "a secret that is long enough for any of the tests"


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory) -> Generator[Up]:
    """Give a server that wants a token."""
    up = Up(tmp_path_factory.mktemp("door") / "data", CHAT_AUTH="token", CHAT_AUTH_SECRET=_SECRET)
    up.start()
    yield up
    up.stop()


def test_a_token_that_is_not_accepted_is_told_of(closed: Up, browser: Browser) -> None:
    """A wrong one is said to be wrong, in words that are read aloud; the right one lets in."""
    visitor = Visitor(browser.new_context(viewport=DESKTOP), closed.url)
    visitor.forgives = ("401", "403")
    tab = visitor.tab()
    tab.page.goto(closed.url)
    field = tab.page.get_by_label("Token")
    expect(tab.page.get_by_role("alert")).to_have_count(0)
    field.fill("nonsense")
    field.press("Enter")
    expect(tab.page.get_by_role("alert")).to_contain_text("did not accept this token")
    field.fill(Tokens(_SECRET).issue(User("ada", "Ada")))
    field.press("Enter")
    tab.connected()
    visitor.context.close()
    visitor.check()
