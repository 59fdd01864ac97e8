"""The page of a server that knows its users: a token is asked for, and one that is not accepted is told of."""

from collections.abc import Generator

import pytest
from playwright.sync_api import Browser, expect

from server.web.auth import Tokens, User
from tests.browser.conftest import serving, visiting
from tests.support.up import Up

_SECRET = "a secret that is long enough for any of the tests"


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory) -> Generator[Up]:
    """Give a server that wants a token."""
    with serving(tmp_path_factory.mktemp("door"), CHAT_AUTH="token", CHAT_AUTH_SECRET=_SECRET) as up:
        yield up


def test_a_token_that_is_not_accepted_is_told_of(closed: Up, browser: Browser) -> None:
    """A wrong one is said to be wrong, in words that are read aloud; the right one lets in."""
    with visiting(browser, closed.url) as visitor:
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
