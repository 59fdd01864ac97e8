"""The page itself: the list, the keyboard, sizes, themes, and what may not get through."""

from collections.abc import Callable

from playwright.sync_api import Route, expect

from tests.browser.conftest import DESKTOP, PHONE, Tab, Visitor
from tests.browser.test_conversation import LONG

_WIDER_THAN_THE_SCREEN = "document.documentElement.scrollWidth > document.documentElement.clientWidth"
_BRIGHTNESS = """() => {
  const [red, green, blue] = getComputedStyle(document.documentElement).backgroundColor.match(/\\d+/g).map(Number);
  return (red + green + blue) / 3;
}"""

_MARK_THE_ONE_THAT_IS_READ = """() => {
  window.reading = [...document.querySelectorAll(".message")].find((it) => it.getBoundingClientRect().top > 200);
  return reading.getBoundingClientRect().top;
}"""


def _conversation(tab: Tab, title: str, messages: int = 0) -> str:
    made = tab.ask("POST", "/v1/conversations", {"title": title})
    path = f"/v1/conversations/{made['id']}/messages"
    for number in range(1, messages + 1):
        tab.ask(
            "POST", path, {"text": f"Message {number}. " + "One more line.\n" * (number % 4), "reply": False}
        )
    return made["id"]


def test_rename_and_delete(tab: Tab) -> None:
    """A conversation is renamed in the list and deleted after a question; an empty one has nothing to show."""
    _conversation(tab, "Before")
    tab.page.reload()
    item = tab.page.locator(".item")
    item.get_by_role("link").click()
    expect(tab.page.get_by_text("Nobody has said a word yet.")).to_be_visible()
    item.hover()
    item.get_by_role("button", name="Rename").click()
    tab.page.keyboard.type("After")
    with tab.told():
        tab.page.keyboard.press("Enter")
    expect(tab.page).to_have_title("After · Tertulia")
    assert tab.ask("GET", f"/v1/conversations/{tab.conversation}")["title"] == "After"
    item.hover()
    item.get_by_role("button", name="Delete").click()
    tab.page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(item).to_have_count(0)
    expect(tab.page.get_by_text("Pull up a chair.")).to_be_visible()


def test_a_new_conversation_is_begun_once_however_often_one_presses(tab: Tab) -> None:
    """On a slow line: it is said that it is being sent, a second press begins no other, and later words are kept."""

    def slowly(route: Route) -> None:
        if route.request.method == "POST":
            tab.page.wait_for_timeout(600)
        route.continue_()

    tab.page.route("**/v1/conversations", slowly)
    beginning = tab.page.locator(".beginning").first
    beginning.dblclick()
    expect(tab.status).to_contain_text("Sending")
    tab.say("And another thing.")
    tab.page.wait_for_url("**/c/cnv_*")
    assert len(tab.ask("GET", "/v1/conversations")["items"]) == 1


def test_copying_where_the_browser_has_no_clipboard(visitor: Visitor) -> None:
    """Over http on another machine than this one a page has none: the old way of copying is left."""
    visitor.context.add_init_script("Object.defineProperty(navigator, 'clipboard', { value: undefined })")
    tab = visitor.tab().open()
    tab.say("Say yes.")
    tab.ended()
    tab.page.evaluate("addEventListener('copy', () => (window.copies = (window.copies ?? 0) + 1))")
    tab.replies.last.get_by_role("button", name="Copy", exact=True).last.click()
    expect(tab.replies.last.get_by_role("button", name="Copied")).to_be_visible()
    assert tab.page.evaluate("window.copies") == 1


def test_the_enter_that_chooses_a_word_sends_nothing(tab: Tab) -> None:
    """Whoever writes Japanese, say, ends a word with Enter; Safari tells by the key's number alone."""
    tab.composer.fill("こんにち")
    tab.composer.dispatch_event("keydown", {"key": "Enter", "keyCode": 229, "bubbles": True})
    expect(tab.composer).to_have_value("こんにち")
    expect(tab.page.locator(".message")).to_have_count(0)


def test_only_the_keyboard(tab: Tab) -> None:
    """A visitor without a mouse writes, stops, moves about, renames, deletes, and finds out how."""
    keys = tab.page.keyboard
    expect(tab.composer).to_be_focused()
    keys.type("One line")
    keys.press("Shift+Enter")
    keys.type(LONG)  # a short answer would have ended before anybody looked
    keys.press("Enter")
    said = tab.page.locator(".message.said .bubble")
    expect(said).to_have_text(f"One line\n{LONG}", use_inner_text=True)
    tab.growing()
    keys.press("Escape")
    tab.ended("cancelled")
    first = tab.conversation
    keys.press("Alt+n")
    expect(tab.page.get_by_text("Pull up a chair.")).to_be_visible()
    expect(tab.composer).to_be_focused()
    keys.press("Alt+ArrowDown")
    expect(tab.page).to_have_url(f"{tab.url}/#/c/{first}")
    expect(tab.page.locator(".item.current")).to_be_visible()
    expect(tab.composer).to_be_focused()
    tab.page.locator(".item a").focus()
    keys.press("?")
    dialog = tab.page.get_by_role("dialog", name="Keyboard shortcuts")
    expect(dialog).to_be_visible()
    keys.press("Escape")
    expect(dialog).to_have_count(0)
    expect(tab.page.locator(".item a")).to_be_focused()
    keys.press("F2")
    keys.type("By hand")
    keys.press("Enter")
    expect(tab.page).to_have_title("By hand · Tertulia")
    tab.page.locator(".item a").focus()
    keys.press("Delete")
    keys.press("Tab")
    expect(tab.page.get_by_role("button", name="Delete", exact=True)).to_be_focused()
    keys.press("Enter")
    expect(tab.page.locator(".item")).to_have_count(0)


def test_on_a_phone(visit: Callable[..., Visitor]) -> None:
    """Nothing is wider than the screen; the list is a drawer; a conversation works."""
    tab = visit(viewport=PHONE, has_touch=True, is_mobile=True).tab().open()
    assert not tab.page.evaluate(_WIDER_THAN_THE_SCREEN)
    tab.say("Write three lines of Python in a code block.")
    tab.ended()
    assert not tab.page.evaluate(_WIDER_THAN_THE_SCREEN)
    listed = tab.page.get_by_role("navigation", name="Conversations")
    expect(listed).to_be_hidden()
    tab.page.get_by_role("button", name="Conversations").tap()
    expect(listed).to_be_visible()
    expect(listed.locator(".item")).to_have_count(1)
    listed.get_by_role("button", name="New conversation").tap()
    expect(listed).to_be_hidden()
    expect(tab.page.get_by_text("Pull up a chair.")).to_be_visible()


def test_light_and_dark(visit: Callable[..., Visitor]) -> None:
    """The page is as the system says, until the visitor says otherwise, also after a reload."""
    dark = visit(color_scheme="dark").tab().open()
    assert dark.page.evaluate(_BRIGHTNESS) < 60
    light = visit(color_scheme="light").tab().open()
    assert light.page.evaluate(_BRIGHTNESS) > 200
    light.page.get_by_role("button", name="Switch to dark").click()
    assert light.page.evaluate(_BRIGHTNESS) < 60
    light.page.reload()
    assert light.page.evaluate(_BRIGHTNESS) < 60


def test_what_was_typed_survives(tab: Tab) -> None:
    """A draft is kept for each conversation, across reloads and changes of place."""
    other = _conversation(tab, "Elsewhere")
    tab.composer.fill("Half a thought")
    tab.page.reload()
    expect(tab.composer).to_have_value("Half a thought")
    tab.page.goto(f"{tab.url}/#/c/{other}")
    expect(tab.composer).to_have_value("")
    tab.page.goto(f"{tab.url}/#/")
    expect(tab.composer).to_have_value("Half a thought")


def test_older_messages_come_without_a_jump(tab: Tab) -> None:
    """Scrolling up loads older pages, and what one is reading stays where it was."""
    conversation = _conversation(tab, "Long", messages=120)
    tab.page.goto(f"{tab.url}/#/c/{conversation}")
    messages = tab.page.locator(".message")
    expect(messages).to_have_count(50)
    tab.page.mouse.move(DESKTOP["width"] * 0.6, DESKTOP["height"] * 0.4)
    for expected in (100, 120):
        # Just below where older messages are fetched, so that the wheel alone brings them.
        tab.page.evaluate("document.querySelector('.thread').scrollTop = 720")
        top = tab.page.evaluate(_MARK_THE_ONE_THAT_IS_READ)
        tab.page.mouse.wheel(0, -150)
        expect(messages).to_have_count(expected)
        tab.page.wait_for_function(
            "top => Math.abs(reading.getBoundingClientRect().top - top - 150) <= 1", arg=top
        )
    expect(messages.first).to_contain_text("Message 1.")
    tab.page.get_by_role("button", name="Newest").click()
    expect(messages.last).to_be_in_viewport()


def test_nothing_said_is_obeyed(tab: Tab) -> None:
    """HTML, scripts and addresses in a message are shown as what they are: words."""
    made = tab.ask("POST", "/v1/conversations", {"title": "Evil"})
    evil = (
        "<script>document.title = 'hacked'</script><img src=x onerror=\"document.title='hacked'\">"
        "<style>body { display: none }</style>\n\n[a link](javascript:document.title='hacked') "
        "![a picture](https://example.org/who.png)\n\n```html\n<b onclick='x'>bold</b>\n```"
    )
    tab.ask("POST", f"/v1/conversations/{made['id']}/messages", {"text": evil, "reply": False})
    tab.page.goto(f"{tab.url}/#/c/{made['id']}")
    bubble = tab.page.locator(".bubble")
    expect(bubble).to_contain_text("<script>document.title = 'hacked'</script>")
    expect(bubble.locator("script, style, img, [onclick], [onerror], a[href^='javascript']")).to_have_count(0)
    expect(bubble.locator("a[href]")).to_have_attribute("rel", "noopener noreferrer nofollow")
    expect(bubble.locator(".code-language")).to_have_text("HTML, XML")
    expect(tab.page).to_have_title("Evil · Tertulia")


def test_code_is_copied(tab: Tab) -> None:
    """The button at a block of code copies the code, and nothing else."""
    made = tab.ask("POST", "/v1/conversations", {})
    text = "Look:\n\n```python\nprint('hola')\n```\n\nDone."
    tab.ask("POST", f"/v1/conversations/{made['id']}/messages", {"text": text, "reply": False})
    tab.page.goto(f"{tab.url}/#/c/{made['id']}")
    tab.page.locator(".code").get_by_role("button", name="Copy").click()
    expect(tab.page.locator(".code").get_by_role("button", name="Copied")).to_be_visible()
    assert tab.page.evaluate("navigator.clipboard.readText()").strip() == "print('hola')"
    expect(tab.page.locator(".hljs-built_in")).to_have_text("print")


def test_a_conversation_that_is_not_there(visitor: Visitor, tab: Tab) -> None:
    """A dead link is explained, with a way on."""
    visitor.forgives = ("404",)
    tab.page.goto(f"{tab.url}/#/c/cnv_019f0000-0000-7000-8000-000000000000")
    expect(tab.page.get_by_text("There is no such conversation.")).to_be_visible()
    tab.page.get_by_role("link", name="Begin another one").click()
    expect(tab.page.get_by_text("Pull up a chair.")).to_be_visible()


def test_every_control_has_a_name(tab: Tab) -> None:
    """Whoever listens to the page instead of looking at it is told what each control is."""
    tab.say("Say yes.")
    tab.ended()
    nameless = tab.page.evaluate(
        """() => [...document.querySelectorAll("button, a, input, textarea, select")]
          .filter((it) => !it.closest("[aria-hidden=true]"))
          .filter((it) => !(it.ariaLabel || it.textContent.trim() || it.labels?.length))
          .map((it) => it.outerHTML)"""
    )
    assert nameless == []
    expect(tab.page.get_by_role("status").filter(has_text="said:")).to_have_count(1)
