import assert from "node:assert/strict";
import { test } from "node:test";

import { accepted, dropped, failed, matching, nothing, sending } from "../../../static/js/client/outgoing.js";

const stored = (id, text, more = {}) => ({ id, role: "user", user: "usr_1", text, ...more });

test("a message on its way is found again by its id, or by its key", () => {
  const on = sending(sending(nothing, { key: "k1", text: "Hola" }), { key: "k2", text: "Hola" });
  assert.equal(matching(accepted(on, "k2", "msg_1"), stored("msg_1", "Hola")).key, "k2");
  assert.equal(matching(on, stored("msg_1", "Hola", { key: "k2" })).key, "k2");
});

test("another's message with the same text is not mistaken for it", () => {
  const on = sending(nothing, { key: "k1", text: "Hola" });
  assert.equal(matching(on, stored("msg_1", "Hola", { key: null })), undefined);
  assert.equal(matching(on, stored("msg_1", "Hola", { key: "other" })), undefined);
});

test("a failed message keeps its text and its place when it is tried again", () => {
  let on = sending(sending(nothing, { key: "k1", text: "first" }), { key: "k2", text: "second" });
  on = failed(on, "k1", new Error("no"));
  assert.deepEqual(on.map((entry) => entry.status), ["failed", "sending"]);
  on = sending(on, { key: "k1", text: "first" });
  assert.deepEqual(on.map((entry) => [entry.key, entry.status]), [["k1", "sending"], ["k2", "sending"]]);
  assert.deepEqual(dropped(on, "k1").map((entry) => entry.key), ["k2"]);
});
