import assert from "node:assert/strict";
import { test } from "node:test";

import { growing, growingCode } from "../../../static/js/page/growing.js";

const grows = (cases, options) => {
  for (const [raw, shown] of cases) assert.equal(growing(raw, options), shown, JSON.stringify(raw));
};

test("what is emphasised is so from its first letter on", () => {
  grows([
    ["**bo", "**bo**"],
    ["**bold wo", "**bold wo**"],
    ["**bold ", "**bold**"],
    ["**bold*", "**bold**"],
    ["**bold**", "**bold**"],
    ["an *it", "an *it*"],
    ["***both", "***both***"],
    ["**a *b", "**a *b***"],
    ["**a *b***, c", "**a *b***, c"],
    ["~~go", "~~go~~"],
    ["_it", "_it_"],
    ["a **b** and `c", "a **b** and `c`"],
    ["**see `co", "**see `co`**"],
    ["``a`b", "``a`b``"],
  ]);
});

test("a mark without words is not shown", () => {
  grows([
    ["and **", "and "],
    ["and *", "and "],
    ["and `", "and "],
    ["and [", "and "],
    ["**a** and **", "**a** and "],
    ["a ~", "a "],
  ]);
});

test("signs that mark nothing stay", () => {
  grows([
    ["2 * 3 is", "2 * 3 is"],
    ["5*3 is", "5*3 is"],
    ["some_name_he", "some_name_he"],
    ["\\*no", "\\*no"],
    ["`a` is", "`a` is"],
    ["as [sic] he", "as [sic] he"],
    ["Hello!", "Hello!"],
    ["In 2026", "In 2026"],
  ]);
});

test("a link shows its words, and its address never", () => {
  grows([
    ["see [a li", "see a li"],
    ["see [a link]", "see a link"],
    ["see [a link](", "see [a link]()"],
    ["see [a link](https://exam", "see [a link]()"],
    ["see [a](https://e.org/x_(y", "see [a]()"],
    ["see [a](https://e.org/x_(y)) now", "see [a](https://e.org/x_(y)) now"],
    ["**[a](ht", "**[a]()**"],
    ["see ![a pic", "see a pic"],
    ["see ![a pic](ht", "see [a pic]()"],
  ]);
});

test("a line of signs waits for its words", () => {
  grows([
    ["Words\n-", "Words"],
    ["Words\n---", "Words"],
    ["Words\n1.", "Words"],
    ["- one\n- ", "- one"],
    ["- one\n- **", "- one"],
    ["- one\n- [", "- one"],
    ["- one\n- [x]", "- one"],
    ["1. one\n2", "1. one"],
    ["##", ""],
    ["> ", ""],
    ["``", ""],
    ["- one\n- **tw", "- one\n- **tw**"],
    ["> **qu", "> **qu**"],
  ]);
});

test("emphasis ends with its paragraph, its item, its cell", () => {
  grows([
    ["- **one\n- two", "- **one\n- two"],
    ["**one\ntwo", "**one\ntwo**"],
    ["- a\n\n  **b", "- a\n\n  **b**"],
  ]);
});

test("a table is no row of bars before it is a table", () => {
  grows([
    ["| A | B", ""],
    ["Words\n| A | B |\n|--", "Words"],
  ]);
  grows(
    [
      ["| A | B |\n|---|---|", "| A | B |\n|---|---|"],
      ["| A | B |\n|---|---|\n|", "| A | B |\n|---|---|"],
      ["| A | B |\n|---|---|\n| **o", "| A | B |\n|---|---|\n| **o**"],
      ["| A | B |\n|---|---|\n| **x | `o", "| A | B |\n|---|---|\n| **x | `o`"],
    ],
    { table: true },
  );
});

test("code does not show the beginning of its end", () => {
  assert.equal(growingCode("x = 1\n``"), "x = 1");
  assert.equal(growingCode("x = `a``"), "x = `a``");
  assert.equal(growingCode("x = 1\n"), "x = 1\n");
});

test("no beginning of a text shows a sign that the whole of it does not", () => {
  const whole = "A **bold _deep_ word** and `code` with [words](https://example.org/a_b) and ~~gone~~ ends.";
  for (let length = 1; length <= whole.length; length += 1) {
    const shown = growing(whole.slice(0, length)).replace(/`[^`]+`|\[([^\]]+)\]\([^)]*\)/g, "$1");
    const left = shown.replace(/\*\*(?=\S)(.+?)(?<=\S)\*\*/g, "$1").replace(/(~~|_)(?=\S)(.+?)(?<=\S)\1/g, "$2");
    assert.doesNotMatch(left, /[*_`~[\]]/, whole.slice(0, length));
  }
});
