"""What becomes of a message while a reply is being written is chosen on the page, for everybody in the conversation."""

from playwright.sync_api import expect

from tests.browser.conftest import Tab, Visitor

LONG = "Tell me a long story about a lighthouse, with every detail that you can think of."


def test_a_message_may_interrupt(visitor: Visitor, tab: Tab) -> None:
    """Chosen in one tab, it is so in the other, and after a reload: what is said next stops the reply."""
    tab.say("Say yes.")
    tab.ended()
    other = visitor.tab().open(f"#/c/{tab.conversation}")
    way, same = (each.page.get_by_label("When a reply is being written") for each in (tab, other))
    expect(way).to_have_value("queue")
    way.select_option("Interrupt")
    expect(same).to_have_value("interrupt")
    tab.page.reload()
    expect(way).to_have_value("interrupt")
    assert tab.ask("GET", f"/v1/conversations/{tab.conversation}")["busy"] == "interrupt"
    tab.say(LONG)
    tab.growing()
    tab.say("Say no.")
    expect(tab.replies).to_have_count(3)
    tab.ended()
    expect(tab.replies.nth(1)).to_have_attribute("data-status", "cancelled")
    assert [message["status"] for message in tab.stored() if message["role"] == "assistant"] == [
        "completed",
        "cancelled",
        "completed",
    ]
