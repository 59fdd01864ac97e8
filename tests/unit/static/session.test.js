import assert from "node:assert/strict";
import { test } from "node:test";

import { backoff } from "../../../static/js/client/backoff.js";
import { Session } from "../../../static/js/client/session.js";

const half = () => 0.5;
const WELCOME = { type: "welcome", id: "hello", session: "ses_1", user: "usr_1", heartbeat: 25, limits: { text: 100 } };

/** A session that has been welcomed at time 0. */
function welcomed(prepare = () => {}) {
  const session = new Session({ random: half });
  prepare(session);
  session.start(0);
  session.opened(0, "token");
  session.received(0, WELCOME);
  return session;
}

const done = (session) => session.take().filter((effect) => effect.do !== "status");
const written = (session) => done(session).filter((effect) => effect.do === "write").map((effect) => effect.frame);

test("it connects, says hello with the token, and is open when welcomed", () => {
  const session = new Session();
  session.start(0);
  assert.deepEqual(done(session), [{ do: "connect" }]);
  session.opened(1, "secret");
  assert.deepEqual(written(session), [{ type: "hello", id: "hello", token: "secret" }]);
  session.received(2, WELCOME);
  assert.equal(session.status.phase, "open");
  assert.equal(session.user, "usr_1");
});

test("it follows from the position that was marked last", () => {
  const session = welcomed((early) => early.follow(0, "cnv_1"));
  assert.deepEqual(written(session).at(-1), { type: "subscribe", conversation: "cnv_1", id: "1" });
  session.mark("cnv_1", "e1", 41);
  session.closed(10_000, 1006);
  session.tick(session.deadline);
  session.opened(11_000, "token");
  session.received(11_000, WELCOME);
  assert.deepEqual(written(session).at(-1), { type: "subscribe", conversation: "cnv_1", after: { epoch: "e1", offset: 41 }, id: "2" });
});

test("the waits grow with each failure and never leave their bounds", () => {
  const session = new Session({ random: half });
  session.start(0);
  const waits = [];
  for (let now = 0, i = 0; i < 9; i += 1) {
    session.closed(now, 1006);
    waits.push(session.status.retryAt - now);
    now = session.deadline;
    session.tick(now);
  }
  assert.deepEqual(waits.slice(0, 4), [300, 600, 1200, 2400]);
  assert.equal(waits.at(-1), 15_000);
  for (const random of [() => 0, () => 0.999]) {
    for (let attempt = 0; attempt < 40; attempt += 1) assert.ok(backoff(attempt, random) >= 0.2 && backoff(attempt, random) <= 20);
  }
});

test("a connection that was steady forgets the failures, a short one does not", () => {
  for (const [lasted, wait] of [[6_000, 300], [100, 600]]) {
    const session = new Session({ random: half });
    session.start(0);
    session.closed(0, 1006);
    session.tick(session.deadline);
    session.opened(1_000, "token");
    session.received(1_000, WELCOME);
    session.closed(1_000 + lasted, 1006);
    assert.equal(session.status.retryAt - (1_000 + lasted), wait);
  }
});

test("each close code gets its advice", () => {
  const after = (code, prepare = () => {}) => {
    const session = welcomed();
    prepare(session);
    session.take();
    session.closed(10_000, code);
    return session;
  };
  for (const code of [1000, 1001, 1006, 1013, 4408, 4500]) assert.equal(after(code).status.retryAt, 10_300, `${code}`);
  assert.equal(after(4429).status.retryAt, 10_000 + 33_000);
  assert.equal(after(1009).status.retryAt, 10_000);
  const restarting = after(1012, (session) => session.received(9_000, { type: "going_away", reconnect_after: 2 }));
  assert.equal(restarting.status.retryAt, 10_000 + 2_200);
  for (const code of [4400, 4403]) {
    assert.equal(after(code).status.phase, "refused");
    assert.ok(after(code).status.reason);
  }
  assert.deepEqual(done(after(4401)), [{ do: "renew" }, { do: "connect" }]);
});

test("a token that is refused again and again does not make a busy loop", () => {
  const session = welcomed();
  session.closed(1_000, 4401);
  assert.equal(session.status.phase, "connecting");
  session.opened(1_001, "other");
  session.received(1_002, { type: "error", id: "hello", code: "unauthenticated", detail: "No." });
  assert.equal(session.status.phase, "waiting");
  assert.ok(session.status.retryAt > 2_000);
});

test("silence is answered with a ping, and a ping without an answer with a new connection", () => {
  const session = welcomed();
  session.take();
  assert.equal(session.deadline, 25_000);
  session.tick(25_000);
  assert.deepEqual(written(session), [{ type: "ping" }]);
  session.received(26_000, { type: "pong" });
  session.tick(51_000);
  assert.deepEqual(written(session), [{ type: "ping" }]);
  session.tick(61_000);
  assert.equal(done(session)[0].do, "hang up");
  assert.equal(session.status.phase, "waiting");
});

test("a greeting that does not come in time is a lost connection", () => {
  const session = new Session({ random: half });
  session.start(0);
  session.opened(1, "token");
  session.tick(10_000);
  assert.equal(session.status.phase, "waiting");
});

test("answers find their requests, and errors come as errors", () => {
  const session = welcomed();
  const first = session.request(1, { type: "send", text: "a" });
  const second = session.request(1, { type: "cancel", reply: "msg_2" });
  session.take();
  session.received(2, { type: "error", id: second, code: "already_ended", detail: "It has ended." });
  session.received(3, { type: "accepted", id: first, message: "msg_1" });
  const [failure, answer] = done(session);
  assert.deepEqual([failure.id, failure.error.code], [second, "already_ended"]);
  assert.deepEqual([answer.id, answer.frame.message], [first, "msg_1"]);
});

test("a kept request is sent again after a lost connection, with the same id and key; another one fails", () => {
  const session = welcomed();
  const kept = session.request(1, { type: "send", key: "k1" }, { keep: true });
  const other = session.request(1, { type: "cancel", reply: "msg_1" });
  session.take();
  session.closed(2, 1006);
  assert.deepEqual(done(session).map((effect) => [effect.do, effect.id]), [["fail", other]]);
  session.tick(session.deadline);
  session.opened(3_000, "token");
  session.received(3_000, WELCOME);
  assert.deepEqual(written(session).at(-1), { type: "send", key: "k1", id: kept });
});

test("a request waits for a connection with patience, for an answer with less", () => {
  const waiting = new Session({ random: half });
  waiting.request(0, { type: "send", key: "k1" }, { keep: true });
  waiting.tick(300_000);
  assert.equal(done(waiting)[0].error.code, "unreachable");
  const asked = welcomed();
  asked.request(0, { type: "send", key: "k1" }, { keep: true });
  asked.take();
  asked.tick(15_000);
  assert.equal(done(asked)[0].error.code, "timed_out");
});

test("after 1009 the largest frame on its way is not sent again", () => {
  const session = welcomed();
  const small = session.request(1, { type: "send", key: "k1", text: "a" }, { keep: true });
  const large = session.request(1, { type: "send", key: "k2", text: "a".repeat(999) }, { keep: true });
  session.take();
  session.closed(2, 1009);
  assert.deepEqual(done(session).map((effect) => [effect.do, effect.id, effect.error.code]), [["fail", large, "too_large"]]);
  assert.ok(session.requests.has(small));
});

test("a conversation that is not ours is given up, one that is unavailable is asked for again", () => {
  const session = welcomed((early) => ["cnv_1", "cnv_2"].forEach((id) => early.follow(0, id)));
  session.take();
  session.received(10, { type: "error", id: "1", code: "forbidden", detail: "No." });
  session.received(10, { type: "error", id: "2", code: "unavailable", detail: "Later.", retry_after: 2 });
  assert.deepEqual(done(session).map((effect) => [effect.do, effect.conversation]), [["lost", "cnv_1"]]);
  session.tick(2_010);
  assert.deepEqual(written(session), [{ type: "subscribe", conversation: "cnv_2", id: "2" }]);
});

test("off the network it rests, and back on it connects at once", () => {
  const session = welcomed();
  session.take();
  session.offline(5);
  assert.equal(session.status.phase, "offline");
  assert.equal(session.deadline, Infinity);
  session.online(6);
  assert.deepEqual(done(session).map((effect) => effect.do), ["hang up", "connect"]);
});

test("stopping settles everything and leaves no timer", () => {
  const session = welcomed((early) => early.follow(0, "cnv_1"));
  session.request(1, { type: "send", key: "k1" }, { keep: true });
  session.take();
  session.stop();
  assert.deepEqual(done(session).map((effect) => effect.do), ["fail", "hang up"]);
  assert.equal(session.deadline, Infinity);
});

test("after a sleep the socket is put to the test, with little patience", () => {
  for (const wake of [(session) => session.woken(90_000), (session) => session.tick(90_000), (session) => session.online(90_000)]) {
    const session = welcomed();
    session.take();
    wake(session);
    assert.deepEqual(written(session), [{ type: "ping" }]);
    assert.equal(session.deadline, 94_000);
    session.woken(93_000);
    session.tick(94_000);
    assert.equal(done(session)[0].do, "hang up");
    assert.equal(session.status.phase, "waiting");
  }
});

test("who wakes up while it waits to connect does not wait any longer", () => {
  const session = welcomed();
  session.closed(10_000, 1006);
  session.take();
  session.woken(10_001);
  assert.deepEqual(done(session), [{ do: "connect" }]);
});

test("what is of no use later is said now or never", () => {
  const session = welcomed();
  session.take();
  session.tell({ type: "typing", on: true });
  assert.deepEqual(written(session), [{ type: "typing", on: true }]);
  session.closed(10_000, 1006);
  session.take();
  session.tell({ type: "typing", on: true });
  assert.deepEqual(done(session), []);
});

test("a conversation that the server turns us away from is lost, and not followed again", () => {
  const session = welcomed((early) => early.follow(0, "cnv_1"));
  session.take();
  session.received(10, { type: "error", code: "forbidden", detail: "No.", conversation: "cnv_1" });
  const [effect, ...more] = done(session);
  assert.deepEqual([effect.do, effect.conversation, effect.error.code, more], ["lost", "cnv_1", "forbidden", []]);
  assert.equal(session.followed.has("cnv_1"), false);
});
