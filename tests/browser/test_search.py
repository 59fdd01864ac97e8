"""Finding messages again on the page, and a list that is alive."""

from collections.abc import Callable
from typing import Any

from playwright.sync_api import expect

from tests.browser.conftest import PHONE, Tab, Visitor


def said(tab: Tab, title: str, *texts: str) -> str:
    """A conversation in which so much was said; its id."""
    made = tab.ask("POST", "/v1/conversations", {"title": title})
    for text in texts:
        tab.ask("POST", f"/v1/conversations/{made['id']}/messages", {"text": text, "reply": False})
    return made["id"]


def look_for(tab: Tab, text: str) -> Any:
    """Open the search with the keyboard and type; the hits."""
    tab.page.keyboard.press("Control+k")
    box = tab.page.get_by_role("combobox", name="Search your messages")
    expect(box).to_be_focused()
    box.fill(text)
    return tab.page.locator(".hit")


def test_a_message_is_found_and_shown_in_its_place(tab: Tab) -> None:
    """Results while one types, the word marked; Enter goes to the message, though it is far up."""
    filler = [f"Something else, number {number}. " + "More of it.\n" * 3 for number in range(90)]
    said(tab, "A night in Málaga", "The observatory is closed on Mondays", *filler)
    said(tab, "Another one", "Nothing of the kind")
    hits = look_for(tab, "observ")
    expect(hits).to_have_count(1, timeout=20_000)
    expect(hits.locator("mark")).to_have_text("observatory")
    expect(hits).to_contain_text("A night in Málaga")
    tab.page.keyboard.press("Enter")
    sought = tab.page.locator(".message.sought")
    expect(sought).to_contain_text("The observatory is closed", timeout=20_000)
    expect(sought).to_be_in_viewport()
    tab.page.get_by_role("button", name="Newest").click()
    expect(sought).to_have_count(0)
    look_for(tab, "observ")
    tab.page.keyboard.press("Escape")
    expect(tab.page.get_by_role("dialog")).to_have_count(0)
    look_for(tab, "observ")
    expect(hits).to_have_count(1, timeout=20_000)
    tab.page.keyboard.press("Enter")
    expect(sought).to_be_in_viewport()


_NEAR_THE_END = """() => {
  const thread = document.querySelector(".thread");
  thread.scrollTop = thread.scrollHeight - thread.clientHeight - 720;
  window.reading = document.querySelector(".message:nth-last-child(4)");
  return reading.getBoundingClientRect().top;
}"""


def test_from_an_old_message_one_reads_on_to_the_newest(tab: Tab) -> None:
    """What lies between is not loaded; scrolling down brings it without a jump, until the page is live again."""
    filler = [f"Something else, number {number}. " + "More of it.\n" * 3 for number in range(160)]
    conversation = said(tab, "A night in Málaga", "The observatory is closed on Mondays", *filler)
    look_for(tab, "observ")
    expect(tab.page.locator(".hit")).to_have_count(1, timeout=20_000)
    tab.page.keyboard.press("Enter")
    messages = tab.page.locator(".message")
    expect(tab.page.locator(".message.sought")).to_be_in_viewport()
    expect(messages.last).not_to_contain_text("number 159")
    assert messages.count() < 111
    tab.page.mouse.move(800, 400)
    while tab.page.get_by_label("Loading newer messages").count():
        known = messages.count()
        # Just above where newer messages are fetched, so that the wheel alone brings them.
        top = tab.page.evaluate(_NEAR_THE_END)
        tab.page.mouse.wheel(0, 150)
        tab.page.wait_for_function("known => document.querySelectorAll('.message').length > known", arg=known)
        tab.page.wait_for_function(
            "top => Math.abs(reading.getBoundingClientRect().top - top + 150) <= 1", arg=top
        )
    expect(messages.last).to_contain_text("number 159")
    said_later = {"text": "Live again", "reply": False}
    tab.ask("POST", f"/v1/conversations/{conversation}/messages", said_later)
    expect(messages.last).to_contain_text("Live again")


def test_newest_after_an_old_message(tab: Tab) -> None:
    """The way back is one button; what was said meanwhile is there."""
    filler = [f"Something else, number {number}. " + "More of it.\n" * 3 for number in range(90)]
    said(tab, "A night in Málaga", "The observatory is closed on Mondays", *filler)
    look_for(tab, "observ")
    expect(tab.page.locator(".hit")).to_have_count(1, timeout=20_000)
    tab.page.keyboard.press("Enter")
    expect(tab.page.locator(".message.sought")).to_be_in_viewport()
    tab.page.get_by_role("button", name="Newest").click()
    last = tab.page.locator(".message").last
    expect(last).to_contain_text("number 89")
    expect(last).to_be_in_viewport()
    expect(tab.page.get_by_role("button", name="Newest")).to_have_count(0)


def test_filters_and_nothing_found(tab: Tab) -> None:
    """Only replies, only this conversation; and a sentence where nothing is found."""
    conversation = said(tab, "One", "the zeppelin is here")
    said(tab, "Two", "another zeppelin")
    tab.open(f"#/c/{conversation}")
    hits = look_for(tab, "zeppelin")
    expect(hits).to_have_count(2, timeout=20_000)
    tab.page.get_by_label("In this conversation").check()
    expect(hits).to_have_count(1)
    tab.page.get_by_label("Who said it").select_option("assistant")
    expect(tab.page.get_by_text("Nothing was found.")).to_be_visible()


def test_every_filter_of_the_contract(tab: Tab) -> None:
    """Who, between two days, in which language, in which order; and more than fit on the first page."""
    english = [f"The telescope was cleaned by the night watch of the observatory {n}" for n in range(24)]
    said(tab, "One", *english, "El telescopio y el telescope estaban limpios anoche en la montaña")
    hits = look_for(tab, "telescope")
    expect(hits).to_have_count(20, timeout=20_000)
    tab.page.get_by_role("button", name="More", exact=True).click()
    expect(hits).to_have_count(25, timeout=20_000)
    tab.page.get_by_label("In which language").select_option("es")
    expect(hits).to_have_count(1)
    tab.page.get_by_label("In which language").select_option("")
    tab.page.get_by_label("Who said it").select_option("me")
    tab.page.get_by_label("In which order").select_option("time")
    expect(hits.first).to_contain_text("El telescopio")
    tab.page.get_by_label("When").select_option("between")
    tab.page.get_by_label("To", exact=True).fill("2020-01-01")
    expect(tab.page.get_by_text("Nothing was found.")).to_be_visible()
    tab.page.get_by_label("To", exact=True).fill("")
    expect(hits).to_have_count(20)
    tab.page.get_by_label("Topic").fill("no such topic")
    expect(tab.page.get_by_text("Nothing was found.")).to_be_visible()


def test_the_list_moves_by_itself(tab: Tab, visitor: Visitor) -> None:
    """Another tab says something: here the conversation comes to the top, with its words and what is unread."""
    first = said(tab, "First", "one")
    said(tab, "Second", "two")
    items = tab.page.locator(".item")
    expect(items.first).to_contain_text("Second", timeout=20_000)
    other = visitor.tab().open(f"#/c/{first}")
    tab.page.bring_to_front()
    other.say("Say something about it")
    expect(items.first).to_contain_text("First", timeout=20_000)
    expect(items.first.locator(".item-last")).not_to_have_text("one", timeout=20_000)
    items.first.get_by_role("link").click()
    expect(tab.page.locator(".badge")).to_have_count(0)


def test_search_on_a_phone_in_the_dark(visit: Callable[..., Visitor]) -> None:
    """It fits, and it is reached from the list."""
    tab = visit(viewport=PHONE, color_scheme="dark").tab().open()
    said(tab, "A night", "The lighthouse is lit")
    tab.page.get_by_role("button", name="Conversations").click()
    tab.page.get_by_role("button", name="Search").click()
    tab.page.get_by_role("combobox", name="Search your messages").fill("lighth")
    expect(tab.page.locator(".hit mark")).to_have_text("lighthouse", timeout=20_000)
    wider = "document.documentElement.scrollWidth > document.documentElement.clientWidth"
    assert not tab.page.evaluate(wider)
