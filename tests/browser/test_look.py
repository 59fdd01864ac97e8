"""How things stand: scripts from right to left, narrow tables, the drawer of a phone, the line under a reply."""

from collections.abc import Callable

from playwright.sync_api import Locator, expect

from tests.browser.conftest import PHONE, Tab, Visitor

_MIXED = (
    "English first.\n\nمرحبا بالعالم، هذا نص.\n\n> שלום\n\n- שלום עולם\n\n"
    "```python\nprint('שלום')\n```\n\n- [ ] to do\n- [x] done"
)
_TABLE = (
    "| Flour | Water | Salt | What happens when one takes too much of it |\n|---|---|---|---|\n"
    "| 500 g | 350 g | 10 g | The crumb opens, the crust is thin, and the taste is mild, as it should be |"
)


def _said(tab: Tab, text: str) -> Locator:
    made = tab.ask("POST", "/v1/conversations", {"title": "سلام"})
    tab.ask("POST", f"/v1/conversations/{made['id']}/messages", {"text": text, "reply": False})
    tab.page.goto(f"{tab.url}/#/c/{made['id']}")
    bubble = tab.page.locator(".bubble")
    expect(bubble).to_be_visible()
    return bubble


def test_each_block_has_its_direction(tab: Tab) -> None:
    """Arabic and Hebrew begin at the right, beside English and code that begin at the left; so do drafts and titles."""
    blocks = _said(tab, _MIXED).locator(".block")
    expected = ["ltr", "rtl", "rtl", "rtl", "ltr", "ltr"]
    for at, direction in enumerate(expected):
        expect(blocks.nth(at)).to_have_css("direction", direction)
    expect(blocks.nth(1).locator("p")).to_have_css("text-align", "start")
    expect(blocks.nth(2).locator("blockquote")).to_have_css("border-right-width", "3px")
    expect(tab.page.locator(".item.current .item-title")).to_have_css("direction", "rtl")
    tab.composer.fill("مرحبا")
    expect(tab.composer).to_have_css("direction", "rtl")
    tab.composer.fill("Hello")
    expect(tab.composer).to_have_css("direction", "ltr")


def test_a_list_is_counted_as_it_was_written(tab: Tab) -> None:
    """From one, or from where it begins."""
    bubble = _said(tab, "1. one\n   - within\n2. two\n\nWords.\n\n3. three")
    assert bubble.locator("ol").evaluate_all("lists => lists.map(({ start }) => start)") == [1, 3]


def test_a_task_has_one_sign(tab: Tab) -> None:
    """A box, and no dot before it."""
    tasks = _said(tab, _MIXED).locator("li", has=tab.page.locator(".check"))
    expect(tasks).to_have_text(["☐ to do", "☑ done"])
    expect(tasks.first).to_have_css("list-style-type", "none")


def test_a_table_on_a_phone_breaks_no_word(visit: Callable[..., Visitor]) -> None:
    """Where there is no room it scrolls for itself; each number stands on a line of its own with its unit."""
    tab = visit(viewport=PHONE, has_touch=True, is_mobile=True).tab().open()
    table = _said(tab, _TABLE).locator("table")
    heights = table.locator("thead th").evaluate_all(
        """cells => cells.slice(0, 3).map((cell) => {
          const range = document.createRange();
          range.selectNodeContents(cell);
          return new Set([...range.getClientRects()].map(({ top }) => Math.round(top))).size;
        })"""
    )
    assert heights == [1, 1, 1]
    assert table.evaluate("it => it.scrollWidth > it.clientWidth")
    assert not tab.page.evaluate("document.documentElement.scrollWidth > innerWidth")


def test_the_drawer_takes_the_focus_and_gives_it_back(visit: Callable[..., Visitor]) -> None:
    """Whoever opens the list by the keyboard is in it, and is back at the button when it closes."""
    tab = visit(viewport=PHONE).tab().open()
    opener = tab.page.get_by_role("button", name="Conversations")
    opener.focus()
    tab.page.keyboard.press("Enter")
    expect(tab.page.get_by_role("button", name="Close the list")).to_be_focused()
    tab.page.keyboard.press("Escape")
    expect(opener).to_be_focused()


def test_the_account_outlives_a_reload(tab: Tab) -> None:
    """How many tokens a reply was is said of an old one as of a new one."""
    tab.say("Say yes.")
    about = tab.ended().locator(".tools-about")
    expect(about).to_contain_text("tokens")
    tab.page.reload()
    expect(about).to_contain_text("tokens")


def test_the_search_stands_in_line_with_what_is_beside_it(tab: Tab) -> None:
    """Two buttons of one row have one middle."""
    rows = [tab.page.locator(".begin"), tab.page.get_by_role("button", name="Search")]
    middles = []
    for it in rows:
        box = it.bounding_box()
        assert box
        middles.append(box["y"] + box["height"] / 2)
    assert abs(middles[0] - middles[1]) <= 1, middles
