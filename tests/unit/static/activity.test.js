import assert from "node:assert/strict";
import { test } from "node:test";

import { activity, explain, others, rate, summary } from "../../../static/js/page/activity.js";

const open = { phase: "open", retryAt: null, reason: null };
const said = (known) => activity({ status: open, troubled: false, now: 0, ...known }).text;

test("each stage of a reply has its words", () => {
  const reply = (more) => said({ reply: { status: "running", text: "", ...more } });
  assert.equal(reply({ status: "queued", position: 3 }), "Queued at place 3");
  assert.equal(reply({ status: "queued", position: 1 }), "Next in the queue");
  assert.equal(reply({ status: "queued" }), "In the queue");
  assert.equal(reply({ stage: "context" }), "Reading the conversation");
  assert.equal(reply({ stage: "waiting" }), "Waiting for the model");
  assert.equal(reply({ stage: "thinking" }), "Thinking");
  assert.equal(said({ reply: { status: "running", text: "Hola" }, rate: 30 }), "Writing · 30 tokens/s");
  assert.equal(said({ reply: { status: "running", text: "Hola" }, silent: true }), "Waiting for more");
  assert.equal(reply({ stage: "restarted", text: "kept" }), "Taking the reply up again");
  assert.equal(said({ reply: { status: "running", text: "So", stage: "writing" }, rate: 42 }), "Writing · 42 tokens/s");
  assert.equal(said({ reply: { status: "running", text: "So" }, stopping: true }), "Stopping");
});

test("a connection that is away comes before anything else, with the seconds that are left", () => {
  const away = (status, now = 0) => activity({ status: { reason: null, retryAt: null, ...status }, troubled: true, reply: { text: "x" }, now });
  assert.deepEqual(away({ phase: "waiting", retryAt: 2_000 }, 500), { kind: "trouble", text: "Reconnecting in 2 s" });
  assert.equal(away({ phase: "waiting", retryAt: 2_000 }, 2_500).text, "Reconnecting");
  assert.equal(away({ phase: "connecting", attempt: 0 }).text, "Connecting");
  assert.equal(away({ phase: "connecting", attempt: 1 }).text, "Reconnecting");
  assert.match(away({ phase: "offline" }).text, /^Offline/);
  assert.equal(away({ phase: "refused", reason: "No." }).text, "No.");
});

test("nothing going on is nothing to say", () => {
  assert.deepEqual(activity({ status: open, troubled: false, now: 0 }), { kind: "rest", text: "" });
  assert.equal(said({ sending: true }), "Sending");
});

test("a rate is told only when there is enough to tell it from", () => {
  assert.equal(rate(400, 1_000), 100);
  assert.equal(rate(400, 100), null);
  assert.equal(rate(10, 1_000), null);
});

test("a finished reply is summed up by what is known of it", () => {
  assert.equal(summary({ model: "smol", usage: { output: 42, exact: true }, timing: { total_ms: 1_250 }, status: "completed" }), "smol · 42 tokens · 1.3 s");
  assert.equal(summary({ model: "smol", usage: { output: 42, exact: false }, status: "cancelled" }), "smol · about 42 tokens · stopped");
  assert.equal(summary({ status: "completed" }), "");
  assert.equal(summary({ model: "smol", usage: null, cost: null, timing: null, provenance: [], status: "completed" }), "smol");
  const account = { usage: { output: 42, exact: true }, timing: { total_ms: 1_250 } };
  assert.equal(summary({ model: "smol", ...account, cost: 0.0004, status: "completed" }), "smol · 42 tokens · 1.3 s · $0.00040");
  assert.equal(summary({ model: "smol", ...account, cost: 0, status: "cancelled" }), "smol · 42 tokens · 1.3 s · free · stopped");
  const provenance = [{ usage: { output: 40, exact: true } }, { usage: null }, { usage: { output: 2, exact: false } }];
  assert.equal(summary({ model: "smol", usage: null, provenance, status: "completed" }), "smol · about 42 tokens");
  assert.equal(summary({ model: "smol", provenance: [], status: "completed" }), "smol");
});

test("every failure that the protocol names is explained, and others by the server's own sentence", async () => {
  const { readFile } = await import("node:fs/promises");
  const protocol = await readFile(new URL("../../../docs/protocol.md", import.meta.url), "utf8");
  const codes = new Set(protocol.match(/`provider_\w+`/g).map((code) => code.slice(1, -1)));
  assert.ok(codes.size > 5);
  for (const code of codes) assert.notEqual(explain({ code }), explain(null), code);
  assert.equal(explain({ code: "of_tomorrow", detail: "A sentence." }), "A sentence.");
});

test("others who type are told of when nothing else is going on", () => {
  assert.equal(said({ typing: 1 }), "Somebody is typing");
  assert.equal(said({ typing: 2 }), "2 people are typing");
  assert.equal(said({ typing: 1, sending: true }), "Sending");
});

test("who is here is told of without oneself", () => {
  assert.equal(others({ users: [], count: 0 }, "usr_1"), "");
  assert.equal(others({ users: ["usr_1"], count: 1 }, "usr_1"), "");
  assert.equal(others({ users: ["usr_1", "usr_2"], count: 2 }, "usr_1"), "1 other here");
  assert.equal(others({ users: ["usr_2"], count: 150 }, "usr_1"), "149 others here");
});
