"""A visitor talks with the real model."""

import hashlib

from playwright.sync_api import expect

from tests.browser.conftest import Tab, Visitor

LONG = "Tell me a long story about a lighthouse, with every detail that you can think of."


def test_a_first_conversation(tab: Tab) -> None:
    """Nothing is asked of a first visitor: one writes, and the model answers, token by token, exactly as stored."""
    tab.say("Say hello in one sentence.")
    expect(tab.page.locator(".message.said")).to_have_count(1)
    tab.growing()
    tab.ended()
    question, reply = tab.stored()
    assert question["text"] == "Say hello in one sentence."
    assert tab.copied() == reply["text"]
    about = tab.ask("GET", f"/v1/replies/{reply['id']}")
    assert about["sha256"] == hashlib.sha256(reply["text"].encode()).hexdigest()
    expect(tab.page.locator(".item.current .item-title")).to_have_text("Say hello in one sentence.")


def test_the_status_line_tells_what_goes_on(tab: Tab) -> None:
    """While a reply is written the line says so and how to stop; afterwards it is silent."""
    tab.say(LONG)
    expect(tab.status).to_contain_text("Writing")
    tab.page.keyboard.press("Escape")
    tab.ended("cancelled")
    expect(tab.status).to_have_text("")


def test_a_reload_in_mid_stream(tab: Tab) -> None:
    """Whoever reloads while the model writes ends with the stored text, to the letter."""
    tab.say(LONG)
    tab.growing()
    tab.page.reload()
    tab.growing()
    tab.page.reload()
    tab.ended()
    assert tab.copied() == tab.stored()[-1]["text"]
    expect(tab.replies).to_have_count(1)


def test_stop(tab: Tab) -> None:
    """The button stops the model; what was said is kept, here and there."""
    tab.say(LONG)
    tab.growing()
    tab.page.get_by_role("button", name="Stop", exact=True).click()
    tab.ended("cancelled")
    kept = tab.stored()[-1]
    assert kept["status"] == "cancelled"
    assert tab.copied() == kept["text"]
    expect(tab.page.get_by_role("button", name="Send", exact=True)).to_be_visible()


def test_a_second_tab_sees_the_same_tokens(visitor: Visitor, tab: Tab) -> None:
    """Another tab on the conversation watches the same reply grow, and may stop it."""
    tab.say(LONG)
    tab.growing()
    other = visitor.tab().open(f"#/c/{tab.conversation}")
    other.growing()
    other.page.keyboard.press("Escape")
    tab.ended("cancelled")
    other.ended("cancelled")
    tab.page.bring_to_front()
    here = tab.copied()
    other.page.bring_to_front()
    assert here == other.copied() == tab.stored()[-1]["text"]


def test_a_second_tab_sees_what_is_said_in_the_first(visitor: Visitor, tab: Tab) -> None:
    """A message appears in all tabs, once in each."""
    tab.say("Say yes.")
    tab.ended()
    other = visitor.tab().open(f"#/c/{tab.conversation}")
    expect(other.page.locator(".message")).to_have_count(2)
    other.say("Say no.")
    for each in (tab, other):
        expect(each.page.locator(".message.said .bubble")).to_have_text(["Say yes.", "Say no."])
        each.ended()
        expect(each.page.locator(".message")).to_have_count(4)


def test_a_character_greets(tab: Tab) -> None:
    """A character is invited, speaks first, and answers under its name."""
    tab.page.get_by_role("button", name="Invite a character").click()
    dialog = tab.page.get_by_role("dialog")
    dialog.get_by_label("Name").fill("Doña Emilia")
    dialog.get_by_label("Who they are").fill("You are a novelist who holds a salon in Madrid.")
    dialog.get_by_label("How they greet").fill("Come in, come in!")
    dialog.get_by_role("button", name="Invite").click()
    expect(tab.page.get_by_role("button", name="Doña Emilia")).to_have_attribute("aria-pressed", "true")
    tab.say("Good evening.")
    expect(tab.replies.first).to_contain_text("Come in, come in!")
    expect(tab.page.locator(".room-title")).to_contain_text("with Doña Emilia")
    tab.ended()
    assert [message["role"] for message in tab.stored()] == ["assistant", "user", "assistant"]
