import assert from "node:assert/strict";
import { test } from "node:test";

import { isOwn, merged, sections, shown, takesPart, withFirstPage } from "../../../static/js/page/list.js";

const item = (id, hour, rest = {}) => ({ id, created_at: "2026-11-01T00:00:00Z", updated_at: `2026-11-22T${hour}:00:00Z`, ...rest });
const ids = (list) => list.map(({ id }) => id);

test("pinned ones are at the top, then the latest; a line is what it is now", () => {
  const list = merged([item("a", "10"), item("b", "11")], [item("c", "09", { pinned: true }), item("a", "12", { title: "A" })]);
  assert.deepEqual(ids(list), ["c", "a", "b"]);
  assert.equal(list[1].title, "A");
});

test("with a first page, what would have to be on it is gone, and older pages and the archive stay", () => {
  const list = [item("gone", "12"), item("a", "11"), item("old", "05"), item("away", "12", { archived: true })];
  const { conversations, older } = withFirstPage(list, { conversations: [item("b", "13"), item("a", "11")], next: "…" });
  assert.deepEqual(ids(conversations), ["b", "away", "a", "old"]);
  assert.ok(older);
});

test("a last page leaves nothing older", () => {
  const { conversations, older } = withFirstPage([item("old", "05")], { conversations: [item("a", "11")], next: null });
  assert.deepEqual(ids(conversations), ["a"]);
  assert.ok(!older);
});

test("what was begun here stays, though the answer does not know it yet", () => {
  const { conversations } = withFirstPage([item("new", "12")], { conversations: [item("a", "11")], next: null }, new Set(["new"]));
  assert.deepEqual(ids(conversations), ["new", "a"]);
});

test("a pinned one that is kept says nothing about where the next page begins", () => {
  const page = { conversations: [item("a", "11")], next: "…" };
  assert.ok(!withFirstPage([item("kept", "02", { pinned: true })], page).older);
});

test("the archive is shown apart", () => {
  const list = [item("a", "11"), item("away", "12", { archived: true })];
  assert.deepEqual(ids(shown(list, false)), ["a"]);
  assert.deepEqual(ids(shown(list, true)), ["away"]);
});

test("headings: what is pinned, and then by the day", () => {
  const now = new Date("2026-11-22T13:00:00Z");
  const found = sections([item("p", "01", { pinned: true }), { id: "a", updated_at: now.toISOString() }, { id: "b", updated_at: "2025-01-01T00:00:00Z" }], now);
  assert.deepEqual(found.map(([name, items]) => [name, ids(items)]), [["Pinned", ["p"]], ["Today", ["a"]], ["Earlier", ["b"]]]);
});

test("one's own are those that one began; one takes part in these, and where one was asked to", () => {
  const table = { owner: "usr_1", members: ["usr_2"] };
  const all = (about) => ["usr_1", "usr_2", "usr_3"].map((user) => about(table, user));
  assert.deepEqual(all(isOwn), [true, false, false]);
  assert.deepEqual(all(takesPart), [true, true, false]);
});
