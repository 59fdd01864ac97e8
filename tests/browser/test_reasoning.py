"""What a model thinks before it answers, on the page: seen while it thinks, folded afterwards, never in the way."""

import pytest
from playwright.sync_api import Locator, expect

from tests.browser.conftest import Tab
from tests.support.talking_model import spoken


def _fold(tab: Tab) -> Locator:
    return tab.replies.last.locator("details.reasoning")


def _thoughts(tab: Tab) -> Locator:
    return _fold(tab).locator("p")


def _growing(tab: Tab) -> None:
    """Wait until it has thought more than it had."""
    expect(_thoughts(tab)).not_to_be_empty()
    before = len(_thoughts(tab).text_content() or "")
    tab.page.wait_for_function(
        "before => document.querySelector('.reasoning p').textContent.length > before", arg=before
    )


def test_thinking_streams_and_folds_itself(thoughtful: Tab) -> None:
    """It grows in sight while there is no answer; when the answer begins, it is folded, and whole behind its line."""
    thoughtful.say("think 150 tokens at 40/s, say 100 tokens at 50/s")
    expect(_fold(thoughtful).locator("summary")).to_have_text("Thinking")
    expect(_thoughts(thoughtful)).to_be_visible()
    _growing(thoughtful)
    expect(thoughtful.replies.last.locator(".prose")).to_have_count(0)
    thoughtful.growing()
    expect(_fold(thoughtful).locator("summary")).to_have_text("What it thought")
    expect(_thoughts(thoughtful)).to_be_hidden()
    thoughtful.ended()
    expect(_thoughts(thoughtful)).to_be_hidden()
    assert _thoughts(thoughtful).text_content() == spoken(150)
    assert thoughtful.copied() == spoken(100)


@pytest.mark.parametrize("by", ["mouse", "Enter", "Space"])
def test_it_folds_and_unfolds(thoughtful: Tab, by: str) -> None:
    """By the mouse and by the keyboard, which finds it as it finds every control."""
    thoughtful.say("think 30 tokens, say 5 tokens")
    thoughtful.ended()
    line = _fold(thoughtful).locator("summary")

    def press() -> None:
        if by == "mouse":
            line.click()
        else:
            thoughtful.page.keyboard.press(by)

    if by != "mouse":
        thoughtful.composer.focus()
        for _ in range(20):
            thoughtful.page.keyboard.press("Shift+Tab")
            if line.evaluate("it => it === document.activeElement"):
                break
        expect(line).to_be_focused()
    for _ in range(2):
        press()
        expect(_thoughts(thoughtful)).to_be_visible()
        assert _thoughts(thoughtful).text_content() == spoken(30)
        press()
        expect(_thoughts(thoughtful)).to_be_hidden()


@pytest.mark.parametrize("opened", [True, False])
def test_what_one_has_chosen_stays(thoughtful: Tab, opened: bool) -> None:
    """Whoever unfolds it reads on while the answer comes; whoever folds it is not shown it again."""
    thoughtful.say("think 100 tokens at 40/s, say 60 tokens at 50/s")
    line, thoughts = _fold(thoughtful).locator("summary"), _thoughts(thoughtful)
    expect(thoughts).to_be_visible()
    line.click()
    expect(thoughts).to_be_hidden()
    if opened:
        line.click()
        expect(thoughts).to_be_visible()
    thoughtful.growing()
    thoughtful.ended()
    if opened:
        expect(thoughts).to_be_visible()
    else:
        expect(thoughts).to_be_hidden()


def test_it_survives_a_reload(thoughtful: Tab) -> None:
    """After the end it is all there, folded; and whoever reloads in the middle of it has all of it in the end."""
    thoughtful.say("think 150 tokens at 40/s, say 20 tokens at 50/s")
    _growing(thoughtful)
    thoughtful.page.reload()
    thoughtful.connected()
    thoughtful.ended()
    expect(_thoughts(thoughtful)).to_have_text(spoken(150), use_inner_text=False)
    assert _thoughts(thoughtful).text_content() == spoken(150)
    thoughtful.page.reload()
    thoughtful.connected()
    expect(_thoughts(thoughtful)).to_be_hidden()
    _fold(thoughtful).locator("summary").click()
    expect(_thoughts(thoughtful)).to_be_visible()
    assert _thoughts(thoughtful).text_content() == spoken(150)
    stored = thoughtful.stored()[-1]
    assert (stored["reasoning"], stored["text"]) == (spoken(150), spoken(20))


def test_it_is_no_part_of_the_answer(thoughtful: Tab) -> None:
    """What is copied, read aloud and shown as the answer is the answer; thoughts are never read as Markdown."""
    thoughtful.say("think 40 tokens, say 25 tokens")
    thoughtful.ended()
    _fold(thoughtful).locator("summary").click()
    assert thoughtful.copied() == spoken(25)
    assert "".join(spoken(40).split()) not in "".join(
        (thoughtful.replies.last.locator(".prose").text_content() or "").split()
    )
    expect(_fold(thoughtful).locator(".prose, .block")).to_have_count(0)
    assert _thoughts(thoughtful).text_content() == spoken(40)
