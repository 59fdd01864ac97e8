"""The list of conversations: pinned, put away, taken out as files, brought in again; and its keys."""

from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import PHONE, Tab, Visitor
from tests.browser.test_search import said

_WIDER = "document.documentElement.scrollWidth > document.documentElement.clientWidth"
_TWO_KEYS_AT_ONCE = """() => new Promise((done) => {
  const alt = (key) => new KeyboardEvent("keydown", { key, altKey: true, bubbles: true });
  const press = (key) => document.body.dispatchEvent(alt(key));
  // The second key comes as soon as the page shows what the first one did, before any of its effects have run.
  new MutationObserver((_, observer) => {
    if (!document.body.textContent.includes("Pull up a chair.")) return;
    observer.disconnect();
    press("ArrowDown");
    setTimeout(done, 500);
  }).observe(document.body, { childList: true, subtree: true });
  press("n");
})"""


def _menu(page: Page, item: Locator) -> Locator:
    item.hover()
    item.get_by_role("button", name="More").click()
    return page.get_by_role("menu")


def _choose(page: Page, item: Locator, name: str) -> None:
    _menu(page, item).get_by_role("menuitem", name=name).click()


def test_what_is_pinned_is_at_the_top(tab: Tab) -> None:
    """A pinned conversation stays above later ones, also after a reload, until it is unpinned."""
    first = said(tab, "First", "one")
    said(tab, "Second", "two")
    items = tab.page.locator(".item")
    expect(items).to_have_count(2, timeout=20_000)
    with tab.told("PUT"):
        _choose(tab.page, items.filter(has_text="First"), "Pin to the top")
    expect(tab.page.get_by_role("heading", name="Pinned")).to_be_visible()
    expect(items.first).to_contain_text("First")
    assert [item["id"] for item in tab.ask("GET", "/v1/conversations?pinned=true")["items"]] == [first]
    tab.page.reload()
    expect(items.first).to_contain_text("First", timeout=20_000)
    items.first.get_by_role("link").focus()
    tab.page.keyboard.press("p")
    expect(items.first).to_contain_text("Second")


def test_put_away_and_back(tab: Tab) -> None:
    """What is archived leaves the list, is found in the archive, after a reload too, and comes back."""
    said(tab, "Over", "one")
    said(tab, "Going on", "two")
    items = tab.page.locator(".item")
    expect(items).to_have_count(2, timeout=20_000)
    items.filter(has_text="Over").get_by_role("link").click()
    with tab.told():
        _choose(tab.page, items.filter(has_text="Over"), "Archive")
    expect(items).to_have_count(1)
    expect(tab.page).to_have_title("Over · Tertulia")
    tab.page.reload()
    expect(items).to_have_count(1, timeout=20_000)
    tab.page.get_by_role("button", name="Archive", exact=True).click()
    expect(items).to_contain_text(["Over"])
    _choose(tab.page, items, "Put back")
    expect(tab.page.get_by_text("Nothing was put away.")).to_be_visible()
    tab.page.get_by_role("button", name="Back", exact=True).click()
    expect(items).to_have_count(2)


def test_out_as_a_file_and_in_again(tab: Tab, tmp_path: Path) -> None:
    """Markdown to read, JSON to bring in again as another conversation; any other file is refused with a sentence."""
    said(tab, "Exported", "¿Qué tal? 🌞")
    items = tab.page.locator(".item")
    expect(items).to_have_count(1, timeout=20_000)
    with tab.page.expect_download() as markdown:
        _choose(tab.page, items, "Export as Markdown")
    assert "¿Qué tal? 🌞" in markdown.value.path().read_text()
    assert markdown.value.suggested_filename == "Exported.md"
    with tab.page.expect_download() as exported:
        _choose(tab.page, items, "Export as JSON")
    file = tmp_path / exported.value.suggested_filename
    exported.value.save_as(file)
    field = tab.page.get_by_label("A conversation that was exported")
    field.set_input_files(file)
    expect(items).to_have_count(2)
    expect(tab.page.locator(".message.said")).to_contain_text(["¿Qué tal? 🌞"])
    nothing = tmp_path / "nothing.json"
    nothing.write_text("no conversation")
    field.set_input_files(nothing)
    expect(tab.page.get_by_text("This file is no exported conversation.")).to_be_visible()


def test_the_menu_by_keyboard(tab: Tab) -> None:
    """Arrows go round, Escape gives the focus back, and stops no reply."""
    said(tab, "One", "one")
    item = tab.page.locator(".item")
    expect(item).to_have_count(1, timeout=20_000)
    keys = tab.page.keyboard
    button = item.get_by_role("button", name="More")
    button.focus()
    keys.press("Enter")
    choices = tab.page.get_by_role("menuitem")
    expect(choices.first).to_be_focused()
    keys.press("ArrowUp")
    expect(choices.last).to_be_focused()
    keys.press("ArrowDown")
    expect(choices.first).to_be_focused()
    keys.press("Escape")
    expect(choices).to_have_count(0)
    expect(button).to_be_focused()
    keys.press("Enter")
    expect(choices.first).to_be_focused()
    keys.press("Enter")
    expect(tab.page.get_by_role("heading", name="Pinned")).to_be_visible()


def test_the_menu_on_a_phone_in_the_dark(visit: Callable[..., Visitor]) -> None:
    """It opens from the head of the conversation, within the screen."""
    tab = visit(viewport=PHONE, has_touch=True, is_mobile=True, color_scheme="dark").tab().open()
    tab.open(f"#/c/{said(tab, 'A night', 'The lighthouse is lit')}")
    tab.page.get_by_role("main").get_by_role("button", name="More").tap()
    menu = tab.page.get_by_role("menu")
    expect(menu).to_be_in_viewport(ratio=1)
    assert not tab.page.evaluate(_WIDER)
    menu.get_by_role("menuitem", name="Archive").tap()
    expect(menu).to_have_count(0)
    tab.page.get_by_role("button", name="Conversations").tap()
    expect(tab.page.get_by_text("What you talk about is kept here.")).to_be_visible()


def test_a_key_that_comes_at_once_is_obeyed(tab: Tab) -> None:
    """Alt+N and at once Alt+↓: the page's late effects do not take the visitor back."""
    conversation = said(tab, "First", "one")
    expect(tab.page.locator(".item")).to_have_count(1, timeout=20_000)
    tab.open(f"#/c/{conversation}")
    expect(tab.page.locator(".message")).to_have_count(1)
    tab.page.evaluate(_TWO_KEYS_AT_ONCE)
    expect(tab.page).to_have_url(f"{tab.url}/#/c/{conversation}")
