"""A visitor asks again, says it differently, goes back and forth between versions, and takes a message back."""

from playwright.sync_api import expect

from tests.browser.conftest import Tab, Visitor

LONG = "Tell me a long story about a lighthouse, with every detail that you can think of."


def texts(tab: Tab) -> list[str]:
    """What one has said, as it is shown."""
    return tab.page.locator(".message.said .bubble").all_inner_texts()


def test_another_answer_and_back(visitor: Visitor, tab: Tab) -> None:
    """The button asks again; the pager goes from one answer to the other, in every tab."""
    tab.say("Say yes.")
    first = tab.ended()
    name = first.get_attribute("data-message")
    other = visitor.tab().open(f"#/c/{tab.conversation}")
    first.hover()
    first.get_by_role("button", name="Again").click()
    pager = tab.page.get_by_role("group", name="Version 2 of 2")
    expect(pager).to_be_visible()
    second = tab.ended()
    assert second.get_attribute("data-message") != name
    expect(tab.replies).to_have_count(1)
    expect(other.page.get_by_role("group", name="Version 2 of 2")).to_be_visible()
    expect(pager.get_by_role("button", name="Later version")).to_be_disabled()
    pager.get_by_role("button", name="Earlier version").click()
    for each in (tab, other):
        expect(each.replies.last).to_have_attribute("data-message", name or "")
        expect(each.page.get_by_role("group", name="Version 1 of 2")).to_be_visible()
    assert tab.stored()[-1]["id"] == name
    tab.page.reload()
    expect(tab.page.get_by_role("group", name="Version 1 of 2")).to_be_visible()


def test_one_s_last_message_is_edited_by_the_keyboard(tab: Tab) -> None:
    """Arrow up in the empty box, other words, Enter; Escape leaves it as it was; both versions stay."""
    tab.say("Say yes.")
    tab.ended()
    tab.composer.press("ArrowUp")
    editor = tab.page.get_by_label("Your message, differently")
    expect(editor).to_be_focused()
    editor.fill("Say something else altogether.")
    editor.press("Escape")
    expect(editor).to_have_count(0)
    expect(tab.composer).to_be_focused()
    assert texts(tab) == ["Say yes."]
    tab.composer.press("ArrowUp")
    editor.fill("Say no.")
    editor.press("Enter")
    expect(tab.page.locator(".message.said .bubble")).to_have_text(["Say no."])
    tab.ended()
    expect(tab.replies).to_have_count(1)
    tab.page.get_by_role("group", name="Version 2 of 2").get_by_role("button", name="Earlier version").click()
    expect(tab.page.locator(".message.said .bubble")).to_have_text(["Say yes."])
    assert tab.stored()[0]["text"] == "Say yes."


def test_an_edit_in_the_middle_leaves_what_followed(tab: Tab) -> None:
    """What followed the first wording is on its branch, and comes back with it."""
    for text in ("Say one.", "Say two."):
        tab.say(text)
        tab.ended()
    first = tab.page.locator(".message.said").first
    first.hover()
    first.get_by_role("button", name="Edit").click()
    editor = tab.page.get_by_label("Your message, differently")
    editor.fill("Say three.")
    tab.page.locator(".editor").get_by_role("button", name="Send").click()
    expect(tab.page.locator(".message.said .bubble")).to_have_text(["Say three."])
    tab.ended()
    tab.page.get_by_role("button", name="Earlier version").click()
    expect(tab.page.locator(".message.said .bubble")).to_have_text(["Say one.", "Say two."])
    expect(tab.replies).to_have_count(2)


def test_a_message_is_taken_back(tab: Tab) -> None:
    """Its place stays, its words are gone, here and there."""
    tab.say("Say yes.")
    tab.ended()
    said = tab.page.locator(".message.said")
    said.hover()
    said.get_by_role("button", name="Take back").click()
    tab.page.get_by_role("dialog").get_by_role("button", name="Keep it").click()
    expect(said.locator(".bubble")).not_to_have_text("Taken back")
    said.get_by_role("button", name="Take back").click()
    tab.page.get_by_role("dialog").get_by_role("button", name="Take back").click()
    expect(said.locator(".bubble")).to_have_text("Taken back")
    expect(said.get_by_role("button", name="Edit")).to_have_count(0)
    assert tab.stored()[0]["text"] == ""
    tab.page.reload()
    expect(said.locator(".bubble")).to_have_text("Taken back")


def test_a_second_message_waits(tab: Tab) -> None:
    """While a reply is being written, the next one says what it waits for; then it is written."""
    tab.say(LONG)
    tab.growing()
    tab.say("Say yes.")
    expect(tab.replies.last).to_contain_text("Waits for the reply above")
    expect(tab.status).to_contain_text("Writing")
    tab.page.keyboard.press("Escape")
    expect(tab.replies.first).to_have_attribute("data-status", "cancelled")
    tab.ended()
    expect(tab.page.locator(".behind")).to_have_count(0)


def test_a_message_is_put_away(visitor: Visitor, tab: Tab) -> None:
    """It is folded, in every tab, also after a reload; whoever unfolds it reads it, and takes it out again."""
    tab.say("Say yes.")
    reply = tab.ended()
    other = visitor.tab().open(f"#/c/{tab.conversation}")
    said = tab.page.locator(".message.said").first
    words = said.get_by_text("Say yes.")
    said.hover()
    said.get_by_role("button", name="Put away").click()
    for each in (tab, other):
        expect(each.page.locator(".message.said .bubble").get_by_text("Say yes.")).to_be_hidden()
    expect(said.get_by_role("button", name="Edit")).to_have_count(0)
    assert tab.stored()[0]["archived"] is True
    said.get_by_text("Put away", exact=True).first.focus()
    tab.page.keyboard.press("Enter")
    expect(words).to_be_visible()
    reply.hover()
    reply.get_by_role("button", name="Put away").click()
    expect(reply.locator("details.away")).to_be_visible()
    tab.page.reload()
    expect(words).to_be_hidden()
    said.hover()
    said.get_by_role("button", name="Take out").click()
    for each in (tab, other):
        expect(each.page.locator(".message.said .bubble").get_by_text("Say yes.")).to_be_visible()
    assert [message["archived"] for message in tab.stored()] == [False, True]
