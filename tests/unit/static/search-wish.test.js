import assert from "node:assert/strict";
import { test } from "node:test";

import { anything, wish } from "../../../static/js/page/search-wish.js";

const about = { now: new Date("2026-11-22T12:00:00Z"), me: "usr_1", route: "cnv_1" };
const asked = (changes, where = about) =>
  Object.fromEntries(Object.entries(wish({ ...anything, ...changes }, where)).filter(([, value]) => value !== undefined));

test("nothing chosen asks for everything", () => {
  assert.deepEqual(asked({}), {});
});

test("who: oneself, people, replies", () => {
  assert.deepEqual(asked({ who: "me" }), { user: "usr_1" });
  assert.deepEqual(asked({ who: "user" }), { role: "user" });
  assert.deepEqual(asked({ who: "assistant" }), { role: "assistant" });
});

test("when: so many days back, or between two days of the visitor's, the last one whole", () => {
  assert.deepEqual(asked({ days: "7" }), { from: "2026-11-15T12:00:00.000Z" });
  const { from, to } = asked({ days: "between", since: "2026-11-01", until: "2026-11-30" });
  assert.deepEqual([from, to], [new Date(2026, 10, 1).toISOString(), new Date(2026, 11, 1).toISOString()]);
  assert.deepEqual(asked({ days: "between" }), {});
  assert.deepEqual(asked({ days: "7", until: "2026-11-30" }), asked({ days: "7" }));
});

test("language, topic and order are as chosen; the conversation is the one in sight", () => {
  assert.deepEqual(asked({ language: "es", topic: " Moon ", order: "time", here: true }), {
    language: "es",
    topic: "moon",
    order: "time",
    conversation: "cnv_1",
  });
  assert.deepEqual(asked({ here: true }, { ...about, route: null }), {});
});
