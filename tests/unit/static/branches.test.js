import assert from "node:assert/strict";
import { test } from "node:test";

import { apply, blank, hasOlder, install } from "../../../static/js/client/transcript.js";

const conversation = "cnv_1";
const message = (id, seq, parent, more = {}) => ({
  id, conversation, seq, parent, role: "user", user: "usr_1", text: id, status: "completed", siblings: [], ...more,
});
const snapshot = (messages, version = 10, aside = []) => ({
  conversation, epoch: "e1", offset: 0, recovered: false, snapshot: { messages, head: messages.at(-1)?.id ?? null, version, aside },
});
const QUESTION = message("question", 1, null);
const ANSWER = message("answer", 2, "question", { role: "assistant", reply_to: "question" });
const FURTHER = message("further", 3, "answer");

function play(subscribed, events) {
  return events.reduce((at, event, index) => {
    const { transcript, verdict } = apply(at, { conversation, offset: index + 1, ...event });
    assert.equal(verdict, "applied");
    return transcript;
  }, install(blank, subscribed));
}

const shown = (transcript) => transcript.messages.map(({ id }) => id);
const created = (it, version) => ({ type: "message.created", message: it, version });
const chosen = (head, version, messages = []) => ({ type: "branch.chosen", head, version, messages });
const queued = (reply, seq, parent, version, siblings = []) => ({ type: "reply.queued", reply, message: parent, seq, version, siblings, position: 1 });

const AGAIN = [chosen("question", 11), queued("anew", 4, "question", 13, ["answer", "anew"])];

test("another answer takes the place of the first, which is kept aside with what followed it", () => {
  const at = play(snapshot([QUESTION, ANSWER, FURTHER]), AGAIN);
  assert.deepEqual(shown(at), ["question", "anew"]);
  assert.deepEqual([...at.aside.keys()].sort(), ["answer", "further"]);
  assert.deepEqual(at.messages[1].siblings, ["answer", "anew"]);
  assert.deepEqual(at.aside.get("answer").siblings, ["answer", "anew"]);
});

test("a branch that is chosen again is as it was left, and what has grown aside is not set back", () => {
  const stale = { ...ANSWER, text: "stale", siblings: ["answer", "anew"] };
  const at = play(snapshot([QUESTION, ANSWER, FURTHER]), [
    ...AGAIN,
    { type: "reply.delta", reply: "anew", at: 0, text: "Hola" },
    chosen("further", 14, [stale, FURTHER]),
    { type: "reply.delta", reply: "anew", at: 4, text: ", ¿qué tal?" },
    { type: "reply.completed", reply: "anew", length: 15 },
    chosen("anew", 16, [{ ...ANSWER, id: "anew", seq: 4, text: "", status: "running" }]),
  ]);
  assert.deepEqual(shown(at), ["question", "anew"]);
  assert.equal(at.messages[1].text, "Hola, ¿qué tal?");
  assert.equal(at.messages[1].status, "completed");
  assert.equal(at.aside.get("answer").text, "answer");
});

test("of two choices the later decision counts, whichever is told last", () => {
  const at = play(snapshot([QUESTION, ANSWER, FURTHER]), [...AGAIN, chosen("further", 15, [ANSWER, FURTHER]), chosen("anew", 14)]);
  assert.deepEqual(shown(at), ["question", "answer", "further"]);
});

test("what was said on a branch that is left is not shown, and there when it is chosen", () => {
  const events = [...AGAIN, created(message("late", 5, "further"), 10.5)];
  const at = play(snapshot([QUESTION, ANSWER, FURTHER]), events);
  assert.deepEqual(shown(at), ["question", "anew"]);
  const back = play(snapshot([QUESTION, ANSWER, FURTHER]), [...events, chosen("late", 20)]);
  assert.deepEqual(shown(back), ["question", "answer", "further", "late"]);
});

test("a message that comes before the one it follows waits for that, and nothing disappears meanwhile", () => {
  const at = play(snapshot([QUESTION, ANSWER]), [created(message("second", 4, "first"), 13)]);
  assert.deepEqual([shown(at), at.missing], [["question", "answer", "second"], "torn"]);
  const whole = play(snapshot([QUESTION, ANSWER]), [created(message("second", 4, "first"), 13), created(message("first", 3, "answer"), 12)]);
  assert.deepEqual([shown(whole), whole.missing], [["question", "answer", "first", "second"], null]);
});

test("what is torn stays so until the beginning has come, whatever comes before it", () => {
  const late = [created(message("third", 3, "second"), 13), created(message("fourth", 4, "third"), 14)];
  const at = play(snapshot([]), [...late, created(message("first", 1, null), 11)]);
  assert.equal(at.missing, "torn");
  const whole = play(snapshot([]), [...late, created(message("first", 1, null), 11), created(message("second", 2, "first"), 12)]);
  assert.deepEqual([shown(whole), whole.missing], [["first", "second", "third", "fourth"], null]);
});

test("a branch that is too long to be told asks for a snapshot, which has it", () => {
  const at = play(snapshot([QUESTION, ANSWER]), [{ ...chosen("elsewhere", 12), messages: null }]);
  assert.equal(at.missing, "long");
  const mended = install(at, { ...snapshot([message("x", 80, "w"), message("elsewhere", 81, "x")], 12), offset: 9 });
  assert.deepEqual([shown(mended), mended.missing, hasOlder(mended)], [["x", "elsewhere"], null, true]);
});

test("what is taken back is void, now and whenever it is told again", () => {
  const at = play(snapshot([QUESTION, ANSWER]), [
    { type: "message.retracted", message: "question" },
    { type: "message.retracted", message: "hidden" },
    chosen("hidden", 12, [message("hidden", 3, "question")]),
  ]);
  assert.deepEqual(at.messages.map(({ id, text, retracted }) => [id, text, retracted]), [["question", "", true], ["hidden", "", true]]);
});

test("what is put away stays where it is, until it is taken out; what was decided last holds", () => {
  const told = (message, archived, turns) => ({ type: "message.archived", message, archived, turns });
  const at = play(snapshot([QUESTION, ANSWER]), [
    told("question", true, 1),
    told("answer", false, 2), // before the one that it takes back
    told("answer", true, 1),
    told("hidden", true, 1), // of which nothing was told yet
    chosen("hidden", 12, [message("hidden", 3, "question")]),
  ]);
  assert.deepEqual(at.messages.map(({ id, archived = false }) => [id, archived]), [["question", true], ["hidden", true]]);
  assert.equal(at.aside.get("answer").archived, false);
  const again = play(at, [told("hidden", false, 2), chosen("hidden", 13, [message("hidden", 3, "question", { archived: true, turns: 1 })])]);
  assert.equal(again.messages.at(-1).archived, false);
});

test("a reply in flight on another branch grows aside, also after a snapshot", () => {
  const growing = message("growing", 5, "question", { role: "assistant", status: "running", text: "So" });
  const at = play(snapshot([QUESTION, ANSWER], 10, [growing]), [
    { type: "reply.delta", reply: "growing", at: 2, text: " far" },
    chosen("growing", 11, [{ ...growing, text: "" }]),
  ]);
  assert.deepEqual([shown(at), at.messages[1].text], [["question", "growing"], "So far"]);
});

test("the first message can have versions, and be told again", () => {
  const other = message("other", 2, null, { siblings: ["question", "other"] });
  const at = play(snapshot([QUESTION]), [chosen(null, 11), created(other, 13), created(other, 13)]);
  assert.deepEqual(shown(at), ["other"]);
  assert.equal(hasOlder(at), false);
});

test("a place in the queue that is told again changes that alone", () => {
  const at = play(snapshot([QUESTION]), [queued("answer", 2, "question", 11), queued("answer", 2, "question", 0)]);
  assert.deepEqual(shown(at), ["question", "answer"]);
  assert.equal(play(snapshot([QUESTION]), [{ ...queued("answer", 2, "question", 11), position: 7 }]).messages[1].position, 7);
});
