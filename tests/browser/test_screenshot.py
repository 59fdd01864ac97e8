"""The README's picture, taken of the real page with the real model: `make pictures`."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.browser.conftest import Visitor

_EARLIER = [
    "Why does bread rise?",
    "An unhurried Sunday in Madrid",
    "Verbs that Spanish took from Arabic",
    "The lighthouse that was lonely",
]


@pytest.mark.picture
@pytest.mark.parametrize(("scheme", "name"), [("light", "page.png"), ("dark", "page-dark.png")])
def test_the_picture_of_the_readme(
    visit: Callable[..., Visitor], images: Path, scheme: str, name: str
) -> None:
    """Take the picture in mid-reply."""
    tab = visit(color_scheme=scheme, device_scale_factor=2).tab().open()
    for title in reversed(_EARLIER):
        tab.ask("POST", "/v1/conversations", {"title": title})
    tab.page.reload()
    tab.connected()
    tab.say("Give me three tips for a good conversation, as a list.")
    tab.growing()
    tab.page.locator(".live li").nth(2).wait_for()
    images.mkdir(parents=True, exist_ok=True)
    tab.page.screenshot(path=images / name)
    tab.page.keyboard.press("Escape")
    tab.ended("cancelled")
