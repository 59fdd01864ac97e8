"""Bad connections: the page heals, and nothing is lost or doubled."""

from playwright.sync_api import WebSocketRoute, expect

from tests.browser.conftest import Tab, Visitor
from tests.browser.test_conversation import LONG
from tests.support.up import Up

_AWAY = (
    "ERR_CONNECTION_REFUSED",
    "ERR_INTERNET_DISCONNECTED",
    "ERR_CONNECTION_RESET",
    "ERR_EMPTY_RESPONSE",
    "WebSocket",
)


def test_off_the_network_in_mid_stream(visitor: Visitor, tab: Tab) -> None:
    """A device that loses its network while the model writes has the exact text when it is back."""
    visitor.forgives = _AWAY
    tab.say(LONG)
    tab.growing()
    visitor.context.set_offline(True)
    expect(tab.status).to_contain_text("Offline")
    visitor.context.set_offline(False)
    tab.ended()
    expect(tab.status).to_have_text("")
    assert tab.copied() == tab.stored()[-1]["text"]
    expect(tab.replies).to_have_count(1)


def test_what_is_written_while_away_is_sent_once(visitor: Visitor, tab: Tab) -> None:
    """A message written off the network waits, is shown as waiting, and is sent once."""
    visitor.forgives = _AWAY
    tab.say("Say yes.")
    tab.ended()
    visitor.context.set_offline(True)
    expect(tab.status).to_contain_text("Offline")
    tab.say("Say no.")
    expect(tab.page.locator(".message.sending")).to_have_text("Say no.")
    visitor.context.set_offline(False)
    expect(tab.page.locator(".message.sending")).to_have_count(0)
    expect(tab.replies).to_have_count(2)
    tab.ended()
    assert [message["text"] for message in tab.stored() if message["role"] == "user"] == [
        "Say yes.",
        "Say no.",
    ]


def test_the_server_is_killed_and_comes_back(server: Up, visitor: Visitor, tab: Tab) -> None:
    """After a crash of everything the page finds the server again by itself, and the conversation goes on."""
    visitor.forgives = _AWAY
    tab.say("Say yes.")
    tab.ended()
    server.kill()
    expect(tab.status).to_contain_text("Reconnecting")
    expect(tab.page.locator(".message")).to_have_count(2)
    tab.say("Are you back?")
    expect(tab.page.locator(".message.sending")).to_have_text("Are you back?")
    server.start()
    expect(tab.page.locator(".message.sending")).to_have_count(0, timeout=60_000)
    expect(tab.replies).to_have_count(2)
    tab.ended()
    expect(tab.status).to_have_text("")
    texts = [message["text"] for message in tab.stored()]
    assert [text for text in texts if text == "Are you back?"] == ["Are you back?"]
    assert tab.copied() == texts[-1]


def test_what_is_written_while_away_outlives_the_page(visitor: Visitor, tab: Tab) -> None:
    """The tab is closed off the network; the page that is opened next sends what was said, once."""
    visitor.forgives = _AWAY
    tab.say("Say yes.")
    tab.ended()
    route = f"#/c/{tab.conversation}"
    visitor.context.set_offline(True)
    expect(tab.status).to_contain_text("Offline")
    tab.say("Say no.")
    tab.say("Say perhaps.")
    expect(tab.page.locator(".message.sending")).to_have_count(2)
    tab.page.close()
    visitor.context.set_offline(False)
    again = visitor.tab().open(route)
    other = visitor.tab().open(route)
    said = again.page.locator(".message.said .bubble")
    expect(said).to_have_text(["Say yes.", "Say no.", "Say perhaps."])
    expect(again.replies).to_have_count(3)
    again.ended()
    expect(other.page.locator(".message.said .bubble")).to_have_count(3)
    stored = [message["text"] for message in again.stored() if message["role"] == "user"]
    assert stored == ["Say yes.", "Say no.", "Say perhaps."]
    assert again.page.evaluate("Object.keys(localStorage).filter((name) => name.includes('unsent'))") == []


def test_a_conversation_that_is_long_in_coming(tab: Tab) -> None:
    """On a slow line an empty page would look as if nothing had been said: it is seen that it is on its way."""
    tab.say("Say yes.")
    tab.ended()
    held: list[tuple[WebSocketRoute, str | bytes]] = []
    released: list[bool] = []

    def slow(line: WebSocketRoute) -> None:
        def pass_on(message: str | bytes) -> None:
            if released or '"welcome"' in str(message):
                line.send(message)
            else:
                held.append((line, message))

        server = line.connect_to_server()
        server.on_message(pass_on)

    tab.page.route_web_socket("**/ws", slow)
    tab.page.reload()
    opening = tab.page.get_by_label("Opening the conversation")
    expect(opening).to_have_css("opacity", "1")
    expect(tab.page.locator(".message")).to_have_count(0)
    released.append(True)
    for line, message in held:
        line.send(message)
    expect(tab.page.locator(".message")).to_have_count(2)
    expect(opening).to_have_count(0)


def test_words_that_cannot_be_sent_are_given_back(tab: Tab) -> None:
    """A message that is too long: trying again is not offered, and its words go back to where they can be shortened."""
    tab.say("Say yes.")
    tab.ended()
    tab.say("word " * 7000)
    trouble = tab.page.locator(".message.unsent")
    expect(trouble).to_contain_text("32000 characters at most")
    expect(trouble.get_by_role("button", name="Send again")).to_have_count(0)
    tab.page.reload()
    expect(trouble).to_contain_text("32000 characters at most")
    trouble.get_by_role("button", name="Edit").click()
    expect(trouble).to_have_count(0)
    expect(tab.composer).to_be_focused()
    assert tab.composer.input_value().startswith("word word")
