import assert from "node:assert/strict";
import { test } from "node:test";

import { apply, blank, hasOlder, inFlight, install, lacksThoughts, prepend, withThoughts } from "../../../static/js/client/transcript.js";

const conversation = "cnv_1";
const parentOf = (seq) => (seq > 1 ? `msg_${seq - 1}` : null);
const person = (seq, text) => ({ id: `msg_${seq}`, conversation, seq, parent: parentOf(seq), role: "user", user: "usr_1", text, status: "completed" });
const snapshot = (offset, messages = [], epoch = "e1") => ({ type: "subscribed", conversation, epoch, offset, recovered: false, snapshot: { messages } });

/** One exchange with everything in it that moves text about. */
const EVENTS = [
  { type: "message.created", message: person(1, "¿Hola? 👋") },
  { type: "reply.queued", reply: "msg_2", message: "msg_1", seq: 2, position: 3, created_at: "2026-11-22T10:00:00Z" },
  { type: "reply.progress", reply: "msg_2", stage: "context" },
  { type: "reply.started", reply: "msg_2", provider: "local", model: "smol", attempt: 1 },
  { type: "reply.delta", reply: "msg_2", at: 0, text: "¡Hola 🌞" },
  { type: "reply.delta", reply: "msg_2", at: 7, text: ", mundo" },
  { type: "reply.restarted", reply: "msg_2", attempt: 2, keep: 7 },
  { type: "reply.started", reply: "msg_2", provider: "local", model: "smol", attempt: 2 },
  { type: "reply.delta", reply: "msg_2", at: 7, text: " y 🌚" },
  { type: "reply.delta", reply: "msg_2", at: 11, text: "!" },
  { type: "reply.completed", reply: "msg_2", length: 12, sha256: "…", usage: { input: 3, output: 5, exact: true }, cost: null, timing: { total_ms: 9 } },
].map((event, index) => ({ ...event, conversation, offset: index + 1 }));

function play(transcript, events) {
  for (const event of events) ({ transcript } = apply(transcript, event));
  return transcript;
}

const whole = play(install(blank, snapshot(0)), EVENTS);

test("events build the conversation", () => {
  const [question, reply] = whole.messages;
  assert.equal(question.text, "¿Hola? 👋");
  assert.equal(reply.text, "¡Hola 🌞 y 🌚!");
  assert.equal(reply.length, 12);
  assert.equal(reply.status, "completed");
  assert.equal(reply.reply_to, "msg_1");
  assert.equal(whole.offset, EVENTS.length);
});

test("events that were applied before change nothing", () => {
  const again = EVENTS.map((event) => apply(whole, event));
  assert.ok(again.every(({ verdict, transcript }) => verdict === "stale" && transcript === whole));
});

test("a snapshot at any point and the later events give the same as all events", () => {
  for (let cut = 0; cut <= EVENTS.length; cut += 1) {
    const before = play(install(blank, snapshot(0)), EVENTS.slice(0, cut));
    const resumed = install(blank, snapshot(cut, before.messages));
    const { messages } = play(resumed, EVENTS.slice(cut));
    assert.deepEqual(messages.map((m) => m.text), whole.messages.map((m) => m.text), `cut at ${cut}`);
    assert.deepEqual(messages.map((m) => m.status), whole.messages.map((m) => m.status), `cut at ${cut}`);
  }
});

test("a hole is noticed and nothing is changed", () => {
  const before = play(install(blank, snapshot(0)), EVENTS.slice(0, 4));
  const { verdict, transcript } = apply(before, EVENTS[5]);
  assert.equal(verdict, "gap");
  assert.equal(transcript, before);
});

test("a merged frame covers several offsets, also when some are known already", () => {
  const before = play(install(blank, snapshot(0)), EVENTS.slice(0, 4));
  const merged = { ...EVENTS[5], from: 5, at: 0, text: "¡Hola 🌞, mundo" };
  for (const start of [before, apply(before, EVENTS[4]).transcript]) {
    const { verdict, transcript } = apply(start, merged);
    assert.equal(verdict, "applied");
    assert.equal(transcript.messages[1].text, "¡Hola 🌞, mundo");
    assert.equal(transcript.offset, 6);
  }
  assert.equal(apply(before, { ...merged, from: 6 }).verdict, "gap");
});

test("a delta beyond the end, or an end with another length, is a hole", () => {
  const before = play(install(blank, snapshot(0)), EVENTS.slice(0, 5));
  const next = { conversation, reply: "msg_2", offset: 6 };
  assert.equal(apply(before, { ...next, type: "reply.delta", at: 99, text: "?" }).verdict, "gap");
  assert.equal(apply(before, { ...next, type: "reply.completed", length: 99 }).verdict, "gap");
  assert.equal(apply(before, { ...next, type: "reply.cancelled", length: 99 }).verdict, "gap");
});

test("a stopped or failed reply keeps the first code points that the end names", () => {
  const before = play(install(blank, snapshot(0)), EVENTS.slice(0, 5));
  const stop = { type: "reply.cancelled", conversation, reply: "msg_2", length: 7, usage: null, offset: 6 };
  assert.equal(apply(before, stop).transcript.messages[1].status, "cancelled");
  const fail = { type: "reply.failed", conversation, reply: "msg_2", length: 5, code: "provider_timeout", detail: "Too slow.", offset: 6 };
  const [, reply] = apply(before, fail).transcript.messages;
  assert.deepEqual([reply.text, reply.status, reply.error.code], ["¡Hola", "failed", "provider_timeout"]);
});

test("thinking is counted apart, and a part that a snapshot left out is no hole", () => {
  let at = play(install(blank, snapshot(0)), EVENTS.slice(0, 4));
  at = apply(at, { type: "reply.reasoning", conversation, reply: "msg_2", at: 40, text: "so", offset: 5 }).transcript;
  assert.equal(at.messages[1].reasoning, "so");
  assert.equal(at.messages[1].text, "");
});

test("thinking that went by before we came is known to be missing once the reply has ended", () => {
  const thought = (at, text, offset) => ({ type: "reply.reasoning", conversation, reply: "msg_2", at, text, offset });
  const queued = play(install(blank, snapshot(0)), EVENTS.slice(0, 4));
  const whole = apply(queued, thought(0, "so", 5)).transcript;
  assert.equal(lacksThoughts(whole.messages[1]), false);
  const torn = apply(queued, thought(40, "so", 5)).transcript;
  assert.equal(lacksThoughts(torn.messages[1]), true);
  const mended = withThoughts(torn, { id: "msg_2", reasoning: "Hm, so" });
  assert.deepEqual([mended.messages[1].reasoning, lacksThoughts(mended.messages[1])], ["Hm, so", false]);
  // Whether one that was being written when we came had thought nobody says: many providers do not count it.
  assert.equal(lacksThoughts({ late: true }), true);
  assert.equal(lacksThoughts({ late: true, reasoning: "Hm" }), false);
  assert.equal(lacksThoughts({}), false);
});

test("unknown events only move the offset", () => {
  const { verdict, transcript } = apply(install(blank, snapshot(0)), { type: "future.thing", conversation, offset: 1 });
  assert.deepEqual([verdict, transcript.offset, transcript.messages.length], ["applied", 1, 0]);
});

test("a recovered subscription goes on from our own offset", () => {
  const before = play(install(blank, snapshot(0)), EVENTS.slice(0, 4));
  const answer = { type: "subscribed", conversation, epoch: "e1", offset: 11, recovered: true };
  assert.equal(install(before, answer).offset, 4);
});

test("a snapshot keeps older pages only where they touch it", () => {
  const at = install(blank, snapshot(9, [person(3, "c"), person(4, "d")]));
  assert.ok(hasOlder(at));
  const paged = prepend(at, [person(1, "a"), person(2, "b"), person(3, "stale copy")]);
  assert.deepEqual(paged.messages.map((m) => m.text), ["a", "b", "c", "d"]);
  assert.ok(!hasOlder(paged));
  assert.deepEqual(install(paged, snapshot(12, [person(4, "D")], "e2")).messages.map((m) => m.text), ["a", "b", "c", "D"]);
  assert.deepEqual(install(paged, snapshot(99, [person(50, "z")], "e2")).messages.map((m) => m.text), ["z"]);
});

test("messages stand in the order of seq, whatever comes first", () => {
  const at = install(blank, snapshot(0));
  const events = [2, 1, 3].map((seq, i) => ({ type: "message.created", conversation, message: person(seq, `${seq}`), version: seq + 1, offset: i + 1 }));
  assert.deepEqual(play(at, events.slice(0, 1)).messages.map((m) => m.seq), [2]);
  const { messages, missing } = play(at, events);
  assert.deepEqual(messages.map((m) => m.seq), [1, 2, 3]);
  assert.equal(missing, null);
});

test("the reply in flight is the first that has not ended: the others wait for it", () => {
  const two = [1, 2].map((seq) => ({ ...person(seq, ""), role: "assistant", status: "queued" }));
  assert.equal(inFlight(install(blank, snapshot(0, two))).id, "msg_1");
  assert.equal(inFlight(play(install(blank, snapshot(0)), EVENTS.slice(0, 6))).id, "msg_2");
  assert.equal(inFlight(whole), undefined);
});

test("every end brings its account: what it used, what it cost, and how long it took", () => {
  const account = { usage: { input: 3, output: 5, exact: false }, cost: 0.001, timing: { queued_ms: 1, first_token_ms: 2, total_ms: 9 } };
  const before = play(install(blank, snapshot(0)), EVENTS.slice(0, -1));
  const { offset, conversation: here, reply, length } = EVENTS.at(-1);
  for (const status of ["completed", "failed", "cancelled"]) {
    const end = { type: `reply.${status}`, conversation: here, offset, reply, length, code: "internal", detail: "?", ...account };
    const [, { usage, cost, timing }] = play(before, [end]).messages;
    assert.deepEqual({ usage, cost, timing }, account, status);
  }
});
