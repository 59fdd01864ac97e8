"""The line under a reply: who wrote it, how much, how long it took, and what it cost; after a reload as before."""

import re

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Tab

_PRICED = "gpt-5-mini"


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
def test_the_account_is_the_same_after_a_reload(thoughtful: Tab, said: str, status: str, line: str) -> None:
    """However the reply has ended: what was told with its end, and what is stored of it, are one line."""
    settings = {"provider": "openai", "model": _PRICED}
    made = thoughtful.ask("POST", "/v1/conversations", {"title": "Dear", "settings": settings})
    thoughtful.page.goto(f"{thoughtful.url}/#/c/{made['id']}")
    thoughtful.say(said)
    if status == "cancelled":
        thoughtful.growing()
        thoughtful.page.keyboard.press("Escape")
    about = thoughtful.ended(status).locator(".tools-about")
    expect(about).to_have_text(re.compile(f"^{line}$"))
    live = about.text_content()
    thoughtful.page.reload()
    expect(thoughtful.replies).to_have_count(1)
    expect(about).to_have_text(live or "", use_inner_text=False)
