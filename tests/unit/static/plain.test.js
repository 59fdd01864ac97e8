import assert from "node:assert/strict";
import { test } from "node:test";

import { plain, unmarked } from "../../../static/js/page/plain.js";

test("a line of a list shows what a text says, not how it is marked", () => {
  const said = {
    "Hola": "Hola",
    "**Bold**ly and *slowly*, with `code` and [a link](https://example.org)": "Boldly and slowly, with code and a link",
    "# Title\n\nA line\nand the next": "Title A line and the next",
    "```python\ndef add(a, b):\n    return a + b\n```\nThat adds.": "def add(a, b): return a + b That adds.",
    "```python\ndef add(a": "def add(a",
    "- one\n- **two**\n  1. three": "one two three",
    "| a | b |\n| - | - |\n| 1 | *2* |": "a b 1 2",
    "> quoted\n\n---\n\nafter": "quoted after",
    "1 < 2 & <b>raw</b>": "1 < 2 & <b>raw</b>",
    "![a picture](https://example.org/a.png)": "a picture",
    "a \\* b": "a * b",
    "": "",
    "   \n ": "",
  };
  for (const [text, line] of Object.entries(said)) assert.equal(plain(text), line, JSON.stringify(text));
});

test("a piece out of the middle has no signs of emphasis, of code or of a heading, and keeps the others", () => {
  assert.equal(unmarked("**Thoughtful"), "Thoughtful");
  assert.equal(unmarked("** answer with `code"), " answer with code");
  assert.equal(unmarked("## Title\nsome_name * 2"), "Title\nsome_name * 2");
});
