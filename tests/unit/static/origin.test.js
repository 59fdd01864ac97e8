import assert from "node:assert/strict";
import { test } from "node:test";

import { apply, blank, install } from "../../../static/js/client/transcript.js";
import { linkable, origin, price, readable } from "../../../static/js/page/origin.js";

const span = (more) => ({ provider: "p", model: "m", start: 0, end: 0, outcome: "completed", ...more });

test("an answer by one provider needs no word about it", () => {
  assert.equal(origin(undefined), "");
  assert.equal(origin([span({ end: 9 })]), "");
});

test("an answer by several says who wrote what, and why not the rest", () => {
  const told = origin([
    span({ provider: "dead", model: "", outcome: "provider_unreachable" }),
    span({ end: 9, outcome: "provider_truncated" }),
    span({ model: "n", start: 9, end: 20 }),
  ]);
  assert.equal(told, "dead could not be reached; m (p) wrote characters 1 to 9, then broke off; n (p) wrote characters 10 to 20");
});

test("prices, arguments and links are shown as what they are", () => {
  assert.deepEqual([price(null), price(0), price(0.00001), price(0.00123)], ["", "free", "under $0.0001", "$0.0012"]);
  assert.equal(readable('{"at":1}'), '{\n  "at": 1\n}');
  assert.equal(readable("{half"), "{half");
  assert.deepEqual([linkable("https://a.example"), linkable("javascript:alert(1)"), linkable("")], [true, false, false]);
});

test("calls, sources and notices come beside the text", () => {
  const message = { id: "msg_2", seq: 1, role: "assistant", text: "", status: "queued", created_at: "" };
  const head = { conversation: "cnv_1", reply: "msg_2" };
  const events = [
    { type: "reply.started", ...head, provider: "a", model: "m", attempt: 1 },
    { type: "reply.started", ...head, provider: "b", model: "n", attempt: 1, notices: ["Left out."] },
    { type: "reply.tool_call", ...head, call: { id: "c", name: "look", arguments: "{}" } },
    { type: "reply.tool_call", ...head, call: { id: "c", name: "look", arguments: "{}" } },
    { type: "reply.citation", ...head, citation: { url: "https://a.example", title: "", quote: "" } },
    { type: "reply.cancelled", ...head, length: 0, usage: null, provenance: [span({})] },
  ];
  let transcript = install(blank, { epoch: "e", offset: 0, snapshot: { messages: [message] } });
  events.forEach((event, index) => {
    const applied = apply(transcript, { ...event, offset: index + 1 });
    assert.equal(applied.verdict, "applied");
    transcript = applied.transcript;
  });
  const reply = transcript.messages.find(({ id }) => id === "msg_2");
  assert.equal(reply.provider, "b");
  assert.deepEqual(reply.notices, ["Left out."]);
  assert.deepEqual([reply.tool_calls.length, reply.citations.length, reply.provenance.length], [1, 1, 1]);
});
