import assert from "node:assert/strict";
import { test } from "node:test";

import { ago, day, greeting } from "../../../static/js/page/times.js";

const now = new Date(2026, 10, 22, 15, 0);
const before = (hours) => new Date(now - hours * 3_600_000).toISOString();

test("times are told as people tell them", () => {
  assert.deepEqual([0, 0.1, 5, 30, 24 * 20].map((hours) => ago(before(hours), now)), ["now", "6 min", "5 h", "1 d", "Nov 2"]);
});

test("days are counted by midnights, not by hours", () => {
  assert.deepEqual([1, 14, 16, 38, 40, 24 * 8].map((hours) => day(before(hours), now)), [
    "Today", "Today", "Yesterday", "Yesterday", "This week", "Earlier",
  ]);
});

test("every hour has its greeting", () => {
  assert.deepEqual([3, 9, 15, 22].map(greeting), ["Good night", "Good morning", "Good afternoon", "Good evening"]);
});
