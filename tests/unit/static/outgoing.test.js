import assert from "node:assert/strict";
import { test } from "node:test";

import { accepted, dropped, failed, matching, nothing, sending } from "../../../static/js/client/outgoing.js";

const stored = (id, text, more = {}) => ({ id, role: "user", user: "usr_1", text, ...more });

test("a message on its way is found again by id, by key, or by its text", () => {
  const on = sending(sending(nothing, { key: "k1", text: "Hola" }), { key: "k2", text: "Hola " });
  assert.equal(matching(on, stored("msg_1", "Hola"), "usr_1").key, "k1");
  assert.equal(matching(accepted(on, "k2", "msg_1"), stored("msg_1", "Hola"), "usr_1").key, "k2");
  assert.equal(matching(on, stored("msg_1", "Hola", { key: "k2" }), "usr_1").key, "k2");
});

test("another's message, a reply, or a failed send is not mistaken for it", () => {
  const on = sending(nothing, { key: "k1", text: "Hola" });
  assert.equal(matching(on, stored("msg_1", "Hola", { user: "usr_2" }), "usr_1"), undefined);
  assert.equal(matching(on, stored("msg_1", "Hola", { role: "assistant" }), "usr_1"), undefined);
  assert.equal(matching(failed(on, "k1", new Error("no")), stored("msg_1", "Hola"), "usr_1"), undefined);
});

test("a failed message keeps its text and its place when it is tried again", () => {
  let on = sending(sending(nothing, { key: "k1", text: "first" }), { key: "k2", text: "second" });
  on = failed(on, "k1", new Error("no"));
  assert.deepEqual(on.map((entry) => entry.status), ["failed", "sending"]);
  on = sending(on, { key: "k1", text: "first" });
  assert.deepEqual(on.map((entry) => [entry.key, entry.status]), [["k1", "sending"], ["k2", "sending"]]);
  assert.deepEqual(dropped(on, "k1").map((entry) => entry.key), ["k2"]);
});
