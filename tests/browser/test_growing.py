"""A reply that is being written: what is half made is not shown, nothing jumps, and a long one stays smooth."""

from typing import Any

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Tab

_RICH = """Plain **bold words** and *italic words* then `some code` and [a link](https://example.org/long/path/of/it).

- item **one**
- item two

| A | B |
|---|---|
| one | two |

```python
print("x")
```

Then ~~gone~~.

1. first
2. second
"""
_HARD = """# T

A para
with *lines*

1. Mix
   - flour

     para in it
2. Wait

3. Loose

Setext
===

> quote
lazy

    indented

- a

- b

<div>
x</div>

* x
+ y

See [that][one] **a

b** and a [link](https://example.org).

***
- [ ] t

[one]: https://example.org/one
"""
_WATCH = """() => {
  window.seen = [];
  const look = () => {
    const prose = document.querySelector(".message.reply:last-child .prose");
    const empty = () => [...prose.querySelectorAll("pre")].filter((it) => !it.textContent.trim()).length;
    if (prose) seen.push([prose.innerText, prose.offsetHeight, empty()]);
    requestAnimationFrame(look);
  };
  look();
}"""

# All in one look: the last piece is written anew many times a second, and an element that was replaced has no style.
_CARETS = """() => [...document.querySelectorAll(".live li, .live li > p")]
  .map((it) => getComputedStyle(it, "::after").content)"""


def _watched(tab: Tab) -> list[Any]:
    return tab.page.evaluate("seen")


def test_no_half_made_sign_is_shown(hall: Tab) -> None:
    """Neither marks, nor addresses, nor a table's bars, nor a fence; and the text never grows shorter."""
    hall.page.evaluate(_WATCH)
    hall.say(f"recite at 40/s: {_RICH}")
    hall.ended()
    seen = _watched(hall)
    assert len({text for text, _, _ in seen}) > 10
    for text, _, _ in seen:
        assert not any(sign in text for sign in ("*", "`", "[", "](", "|", "~", "https:", "---")), text
    heights = [height for _, height, _ in seen]
    assert heights == sorted(heights)
    assert not any(empty for _, _, empty in seen)


def test_the_words_of_a_link_have_its_colour_before_its_address_has_come(hall: Tab) -> None:
    """They do not change under the eyes, and lead nowhere yet."""
    address = "https://example.org/" + "a/very/long/address/" * 8
    hall.say(f"recite at 20/s: See [the book]({address}) now.")
    link = hall.page.locator(".message.reply.live .prose a")
    expect(link).to_have_text("the book")
    assert link.get_attribute("href") in (None, "")
    hall.ended()
    expect(hall.replies.last.locator(".prose a")).to_have_attribute("href", address)


def test_a_reply_is_read_aloud_without_its_signs(hall: Tab) -> None:
    """Neither stars nor addresses are spelt out."""
    hall.say("recite: See **the** [book](https://example.org/book), some_name.")
    hall.ended()
    aloud = hall.page.locator(".room > [role=status]").first
    expect(aloud).to_have_text("The model said: See the book, some_name.")


@pytest.mark.parametrize("fence", ["```", "```python", "```python\n"])
def test_a_reply_that_ends_at_a_fence_shows_no_empty_block(hall: Tab, fence: str) -> None:
    """Stopped, or broken off, right where code was to begin."""
    hall.say(f"recite: Here it is:\n\n{fence}")
    last = hall.ended()
    expect(last.locator(".prose")).to_have_text("Here it is:")
    expect(last.locator(".code")).to_have_count(0)


@pytest.mark.parametrize("text", [_HARD, _RICH], ids=["hard", "rich"])
def test_what_has_grown_is_what_was_written(hall: Tab, text: str) -> None:
    """A reply that was made piece by piece looks to the letter as it does when it is read later."""
    hall.say(f"recite at 60/s: {text}")
    prose = hall.ended().locator(".prose")
    grown = prose.inner_html()
    hall.page.reload()
    expect(prose).to_be_visible()
    assert prose.inner_html() == grown


def test_what_consists_of_signs_alone_is_shown(hall: Tab) -> None:
    """A message of a fence and nothing else is no empty bubble."""
    hall.say("```")
    expect(hall.page.locator(".said .bubble")).to_have_text("```")


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("\n\n".join(f"Paragraph {number}." for number in range(40)), ".block"),
        ("\n".join(f"- item {number}" for number in range(60)), "li"),
        ("| A | B |\n|---|---|\n" + "\n".join(f"| {number} | b |" for number in range(60)), "tr"),
        ("```python\n" + "\n".join(f"x = {number}" for number in range(160)), ".piece"),
    ],
    ids=["paragraphs", "list", "table", "code"],
)
def test_what_is_written_is_not_touched_again(hall: Tab, text: str, parts: str) -> None:
    """While a reply grows, and when it has ended, its finished pieces stay the same elements, and unchanged within."""
    hall.say(f"recite at 60/s: {text}")
    pieces = hall.page.locator(f".message.reply .prose {parts}")
    pieces.nth(2).wait_for()
    # The text node within, too: a piece that was made again would have another one.
    words = pieces.first.evaluate_handle("it => it.querySelector('span, p, td')?.firstChild ?? it.firstChild")
    hall.page.wait_for_timeout(600)
    assert words.evaluate("it => it.isConnected")
    if parts != ".piece":  # code is coloured as a whole in the end
        hall.ended()
        assert words.evaluate("it => it.isConnected")


def test_a_reply_that_ends_does_not_move(hall: Tab) -> None:
    """The line with its buttons has its place before it is shown."""
    hall.say("recite at 30/s: " + "A line of some words. " * 60)
    hall.growing()
    hall.page.evaluate(
        """() => {
          window.places = [];
          const look = () => {
            const reply = document.querySelector(".message.reply:last-child");
            const { top, height } = reply.querySelector(".prose").getBoundingClientRect();
            places.push([reply.dataset.status, top + height, height]);
            requestAnimationFrame(look);
          };
          look();
        }"""
    )
    hall.ended()
    hall.page.wait_for_timeout(300)
    places = hall.page.evaluate("places")
    ended = [place for place in places if place[0] == "completed"]
    last = next(place for place in reversed(places) if place[0] != "completed")
    assert ended
    assert all(abs(bottom - last[1]) <= 1 for _, bottom, _ in ended), (last, ended[:3], ended[-1])


def test_a_model_that_falls_silent_is_not_said_to_write(hall: Tab) -> None:
    """A pace is told only as long as there is one."""
    hall.say("recite at 20/s: " + "Some words. " * 10 + "… and the rest.")
    expect(hall.status).to_contain_text("tokens/s")
    expect(hall.status).to_contain_text("Waiting for more")
    hall.ended()
    expect(hall.status).to_have_text("")


def test_the_caret_stands_behind_the_last_word(hall: Tab) -> None:
    """Also where a list has room between its items: each is a paragraph then, and the caret belongs into it."""
    hall.say("recite at 10/s: 1. one item\n\n2. another item\n\n3. " + "the third " * 60)
    hall.page.locator(".live li:nth-child(3) > p").wait_for()
    assert hall.page.evaluate(_CARETS) == ["none", "none", "none", "none", "none", '""']
    hall.page.keyboard.press("Escape")
    hall.ended("cancelled")


def test_a_reply_of_five_thousand_words_stays_smooth(hall: Tab) -> None:
    """Half of it is a table, the other half are paragraphs: what a step costs does not grow with what is there."""
    table = "| A | B |\n|---|---|\n" + "\n".join(
        "| some words of a cell | " + "and more " * 5 + "|" for _ in range(130)
    )
    prose = "\n\n".join("Some **words** that somebody says at the table. " * 8 for _ in range(36))
    hall.page.evaluate(
        """() => {
          const set = Object.getOwnPropertyDescriptor(Element.prototype, "innerHTML").set;
          window.written = 0;
          Object.defineProperty(Element.prototype, "innerHTML", {
            ...Object.getOwnPropertyDescriptor(Element.prototype, "innerHTML"),
            set(html) { window.written += String(html).length; set.call(this, html); },
          });
        }"""
    )
    text = f"{prose}\n\n{table}"
    hall.say(f"recite at 1000/s: {text}")
    hall.ended()
    written = hall.page.evaluate("written")
    # Where the table is made anew at each step, it is more than thirty times the length.
    assert written < 15 * len(text), (written, len(text))
