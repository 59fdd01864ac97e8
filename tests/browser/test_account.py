"""The line under a reply: who wrote it, how much, how long it took, and what it cost; after a reload as before."""

import re
from collections.abc import Generator

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.conftest import DESKTOP, Tab, Visitor
from tests.support.talking_model import talking_model
from tests.support.up import Up

_PRICED = "gpt-5-mini"


@pytest.fixture(scope="module")
def priced_server(tmp_path_factory: pytest.TempPathFactory) -> Generator[Up]:
    """Give a server of our own on a model that talks as it is told to."""
    with talking_model() as model:
        data = tmp_path_factory.mktemp("priced") / "data"
        up = Up(data, OPENAI_BASE_URL=model.base_url, OPENAI_API_KEY="sk-of-nobody")
        up.start()
        yield up
        up.stop()


@pytest.fixture
def customer(priced_server: Up, browser: Browser) -> Generator[Tab]:
    """Give a visitor's tab there, open and connected."""
    visitor = Visitor(browser.new_context(viewport=DESKTOP), priced_server.url)
    yield visitor.tab().open()
    visitor.context.close()
    visitor.check()


@pytest.mark.parametrize(
    ("said", "status", "line"),
    [
        (
            "say 9 tokens at 20/s, count 900 in, 800 cached, 70 out, 60 thought",
            "completed",
            rf"{_PRICED} · 70 tokens · \d\.\d s · \$0\.0001[89]",
        ),
        (
            "say 9 tokens, then break off",
            "failed",
            rf"{_PRICED} · about \d+ tokens · \d\.\d s · (\$|under \$).+",
        ),
        (
            "say 400 tokens at 20/s",
            "cancelled",
            rf"{_PRICED} · about \d+ tokens · \d\.\d s · (\$|under \$).+ · stopped",
        ),
    ],
    ids=["completed", "failed", "cancelled"],
)
def test_the_account_is_the_same_after_a_reload(customer: Tab, said: str, status: str, line: str) -> None:
    """However the reply has ended: what was told with its end, and what is stored of it, are one line."""
    settings = {"provider": "openai", "model": _PRICED}
    made = customer.ask("POST", "/v1/conversations", {"title": "Dear", "settings": settings})
    customer.page.goto(f"{customer.url}/#/c/{made['id']}")
    customer.say(said)
    if status == "cancelled":
        customer.growing()
        customer.page.keyboard.press("Escape")
    about = customer.ended(status).locator(".tools-about")
    expect(about).to_have_text(re.compile(f"^{line}$"))
    live = about.text_content()
    customer.page.reload()
    expect(customer.replies).to_have_count(1)
    expect(about).to_have_text(live or "", use_inner_text=False)
