import assert from "node:assert/strict";
import { test } from "node:test";

import { codePoints, firstCodePoints, writeAt } from "../../../static/js/client/text.js";

const SAMPLES = ["", "Hola", "¿Qué tal?", "👋🏽 hey", "a👩‍👩‍👧b", "𝒯𝑒𝓇𝓉𝓊𝓁𝒾𝒶", "\ud800x", "x\udc00"];

test("code points are counted as Array.from counts them", () => {
  for (const text of SAMPLES) assert.equal(codePoints(text), Array.from(text).length, JSON.stringify(text));
});

test("a cut never splits a pair", () => {
  for (const text of SAMPLES) {
    const points = Array.from(text);
    for (let n = 0; n <= points.length + 1; n += 1) {
      assert.equal(firstCodePoints(text, n), points.slice(0, n).join(""), `${JSON.stringify(text)} at ${n}`);
    }
  }
});

test("a write at the end appends, and tracks the length", () => {
  assert.deepEqual(writeAt("👋", 1, 1, " 🌍"), { text: "👋 🌍", length: 3 });
});

test("a write before the end replaces what follows", () => {
  assert.deepEqual(writeAt("👋 mundo", 7, 2, "🌍"), { text: "👋 🌍", length: 3 });
});

test("a write beyond the end is refused: something is missing", () => {
  assert.equal(writeAt("abc", 3, 4, "d"), null);
});
