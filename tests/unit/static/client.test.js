import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";
import { WebSocket } from "ws";

import { Client, Refused, SignedOut } from "../../../static/js/client/index.js";
import { Double, sha256 } from "./double.js";

let server;
let client;
let conversation;
let notices;

/** Waits until `holds()`; the deadline is there only to fail instead of hanging. */
async function until(holds, what) {
  const end = performance.now() + 5_000;
  while (!holds()) {
    if (performance.now() > end) throw new Error(`never happened: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

const texts = () => conversation.transcript.messages.map((message) => message.text);
const connected = () => until(() => conversation.settled, "subscribed");

function make(token) {
  notices = [];
  // With the least jitter a reconnect takes 0.2 s.
  const made = new Client({ url: server.url, token, platform: { WebSocket, random: () => 0 } });
  for (const name of ["gap", "mismatch"]) made.on(name, (detail) => notices.push({ name, ...detail }));
  return made;
}

beforeEach(async () => {
  server = await new Double().start();
  client = make("good").connect();
  conversation = client.conversation("cnv_1");
});

afterEach(async () => {
  client.close();
  await server.stop();
});

test("a message is shown at once, and once when the server shows it back", async () => {
  conversation.watch(() => {});
  await connected();
  const answer = conversation.send("Hola");
  assert.deepEqual(conversation.outgoing.map((entry) => entry.text), ["Hola"]);
  assert.equal((await answer).message, "msg_1");
  await until(() => texts().length === 1, "shown");
  assert.deepEqual(conversation.outgoing, []);
});

test("a reply streams in, and watchers hear which message has changed", async () => {
  const heard = [];
  conversation.watch((changed) => heard.push(changed));
  await connected();
  server.reply("msg_2", 2, ["¡Hola ", "👋🏽", " mundo!"]);
  await until(() => conversation.transcript.messages[0]?.status === "completed", "completed");
  assert.deepEqual(texts(), ["¡Hola 👋🏽 mundo!"]);
  assert.ok(heard.includes("msg_2"));
  assert.deepEqual(notices, []);
});

test("cut at every point of a reply, the text is exact in the end", async () => {
  conversation.watch(() => {});
  await connected();
  const parts = Array.from({ length: 12 }, (_, i) => `${i}·🌞 `);
  server.publish({ type: "reply.queued", reply: "msg_2", message: "msg_1", seq: 2, position: 1 });
  let at = 0;
  for (const [i, text] of parts.entries()) {
    server.publish({ type: "reply.delta", reply: "msg_2", at, text }, { deliver: i % 3 !== 0 });
    at += Array.from(text).length;
    if (i % 4 === 0) server.cut();
  }
  server.publish({ type: "reply.completed", reply: "msg_2", length: at, sha256: sha256(parts.join("")) });
  await until(() => conversation.transcript.messages[0]?.status === "completed", "completed");
  assert.deepEqual(texts(), [parts.join("")]);
  assert.ok(server.frames.filter((frame) => frame.type === "subscribe").slice(1).every((frame) => frame.after.epoch === "e1"));
});

test("a hole in the offsets is noticed and mended without a new connection", async () => {
  conversation.watch(() => {});
  await connected();
  server.publish({ type: "reply.queued", reply: "msg_2", message: "msg_1", seq: 2, position: 1 });
  server.publish({ type: "reply.delta", reply: "msg_2", at: 0, text: "uno " }, { deliver: false });
  server.publish({ type: "reply.delta", reply: "msg_2", at: 4, text: "dos" });
  await until(() => texts()[0] === "uno dos", "mended");
  assert.deepEqual(notices.map((notice) => notice.name), ["gap"]);
  assert.equal(server.frames.filter((frame) => frame.type === "hello").length, 1);
});

test("a text with another sha256 is replaced by the stored one", async () => {
  conversation.watch(() => {});
  await connected();
  server.messages = [{ id: "msg_2", seq: 2, role: "assistant", text: "the stored text", status: "completed" }];
  server.reply("msg_2", 2, ["the wrong text!"], sha256("the stored text"));
  await until(() => texts()[0] === "the stored text", "replaced");
  assert.deepEqual(notices.map((notice) => notice.name), ["mismatch"]);
});

test("a log that began anew brings a snapshot", async () => {
  conversation.watch(() => {});
  await connected();
  server.reply("msg_2", 2, ["before"]);
  await until(() => texts().length === 1, "before");
  Object.assign(server, { epoch: "e2", log: [], messages: [{ id: "msg_4", seq: 4, role: "assistant", text: "after", status: "completed" }] });
  server.cut();
  await until(() => texts()[0] === "after", "after");
  assert.equal(conversation.transcript.epoch, "e2");
});

test("a send whose answer was lost is repeated under its key, and happens once", async () => {
  conversation.watch(() => {});
  await connected();
  server.acceptSilently = true;
  const answer = conversation.send("Hola");
  await until(() => server.sends.size === 1, "stored");
  server.cut();
  const { message, duplicate } = await answer;
  assert.deepEqual([message, duplicate, server.sends.size], ["msg_1", true, 1]);
  await until(() => texts().length === 1 && conversation.outgoing.length === 0, "shown once");
});

test("a message written while the server is away is sent when it is back, on the same port", async () => {
  conversation.watch(() => {});
  await connected();
  const port = Number(new URL(server.url).port);
  await server.stop();
  await until(() => client.status.phase === "waiting", "noticed");
  const answer = conversation.send("Hola");
  server = await new Double().start(port);
  assert.equal((await answer).duplicate, false);
  await until(() => texts().length === 1, "shown");
});

test("what cannot be sent stays, with the reason, and can be given up", async () => {
  conversation.watch(() => {});
  await connected();
  await assert.rejects(conversation.send("x".repeat(101)), { code: "text_too_long" });
  const [entry] = conversation.outgoing;
  assert.deepEqual([entry.status, entry.error.code], ["failed", "text_too_long"]);
  conversation.discard(entry.key);
  assert.deepEqual(conversation.outgoing, []);
});

test("a conversation that does not exist is said so", async () => {
  const other = client.conversation("cnv_other");
  other.watch(() => {});
  await until(() => other.error, "refused");
  assert.equal(other.error.code, "not_found");
});

test("a refused token is renewed on the socket and over HTTP; without another one it is signed out", async () => {
  client.close();
  const asked = [];
  client = make(async (refused) => {
    asked.push(refused);
    return refused === "old" ? "good" : "old";
  }).connect();
  await until(() => client.status.phase === "open", "open");
  assert.deepEqual(asked, [undefined, "old"]);
  assert.deepEqual(await client.api.me(), { id: "usr_1" });
  client.close();
  client = make("bad").connect();
  await until(() => client.status.phase === "signed out", "signed out");
  await assert.rejects(client.api.me(), SignedOut);
});

test("a drained server is left and found again after the delay that it gave", async () => {
  conversation.watch(() => {});
  await connected();
  server.say({ type: "going_away", reconnect_after: 0.05 });
  server.close(1012);
  await until(() => server.frames.filter((frame) => frame.type === "subscribe").length === 2, "followed again");
});

test("older messages come page by page until there are no more", async () => {
  const all = Array.from({ length: 130 }, (_, i) => ({ id: `msg_${i + 1}`, seq: i + 1, role: "user", text: `${i + 1}`, status: "completed" }));
  server.messages = all.slice(-50);
  conversation.watch(() => {});
  await connected();
  server.messages = all;
  assert.equal(await conversation.older(), true);
  assert.equal(texts().length, 100);
  assert.equal(await conversation.older(), false);
  assert.deepEqual(texts(), all.map((message) => message.text));
  assert.equal(await conversation.older(), false);
});

const long = (count) =>
  Array.from({ length: count }, (_, i) => {
    const common = { id: `msg_${i + 1}`, seq: i + 1, role: "user", text: `${i + 1}`, status: "completed" };
    return { ...common, parent: i ? `msg_${i}` : null, created_at: "2026-11-22T10:00:00Z" };
  });
const shown = () => conversation.shown.map((message) => Number(message.text));
const range = (from, to) => Array.from({ length: to - from + 1 }, (_, i) => from + i);

/** Follows a conversation of 300 messages, and goes to the 100th. */
async function gone() {
  server.messages = long(300).slice(-50);
  conversation.watch(() => {});
  await connected();
  server.messages = long(300);
  assert.equal(await conversation.goTo("msg_100"), true);
}

test("one goes to an old message without what lies between, and reads on both ways until it is live", async () => {
  await gone();
  assert.deepEqual(shown(), range(75, 124));
  await conversation.older();
  assert.deepEqual(shown(), range(25, 124));
  for (const end of [174, 224]) {
    await conversation.newer();
    assert.deepEqual(shown(), range(25, end));
    assert.ok(conversation.excerpt);
  }
  await conversation.newer();
  assert.equal(conversation.excerpt, null);
  assert.deepEqual(shown(), range(25, 300));
  await conversation.older();
  assert.deepEqual(shown(), range(1, 300));
  assert.ok(!conversation.hasOlder);
});

test("while one reads above, what is said goes on below; a message taken back is gone there too", async () => {
  await gone();
  const before = conversation.transcript.messages.at(-1);
  server.publish({ type: "message.created", message: { ...before, id: "msg_301", seq: 301, parent: before.id, text: "301" } });
  server.publish({ type: "message.retracted", message: "msg_99" });
  await until(() => conversation.transcript.messages.at(-1).id === "msg_301", "said");
  await until(() => conversation.shown.find(({ id }) => id === "msg_99").retracted, "taken back");
  assert.equal(shown().at(-1), 124);
  conversation.live();
  assert.deepEqual(shown(), range(251, 301));
});

test("another branch that is chosen is shown at once", async () => {
  await gone();
  const other = { ...long(1)[0], id: "msg_other", seq: 301, parent: "msg_260", text: "301" };
  server.publish({ type: "message.created", message: other, version: 9 });
  server.publish({ type: "branch.chosen", head: "msg_other", version: 9, messages: [other] });
  await until(() => conversation.excerpt === null, "left");
  assert.equal(conversation.shown.at(-1).id, "msg_other");
});

test("a message that is near is there; one that is nowhere changes nothing", async () => {
  await gone();
  assert.equal(await conversation.goTo("msg_none"), false);
  assert.deepEqual(shown(), range(75, 124));
  assert.equal(await conversation.goTo("msg_290"), true);
  assert.equal(conversation.excerpt, null);
  assert.equal(await conversation.goTo("msg_240"), true);
  assert.equal(conversation.excerpt, null, "its page touches the live end");
  assert.deepEqual(shown(), range(215, 300));
});

test("whoever comes back begins with the newest", async () => {
  server.messages = long(300).slice(-50);
  const leave = conversation.watch(() => {});
  await connected();
  server.messages = long(300);
  await conversation.goTo("msg_100");
  leave();
  conversation.watch(() => {});
  assert.deepEqual(shown(), range(251, 300));
});

test("problems over HTTP are errors with the server's code and sentence", async () => {
  await assert.rejects(client.api.reply("msg_none"), (error) => {
    assert.ok(error instanceof Refused);
    assert.deepEqual([error.code, error.status, error.message], ["not_found", 404, "There is nothing here."]);
    return true;
  });
  const { url } = server;
  await server.stop();
  await assert.rejects(client.http.get("v1/me"), { code: "unreachable" });
  server = await new Double().start(Number(new URL(url).port));
});

const presence = (users) => server.say({ type: "presence", conversation: "cnv_1", users, count: users.length });
const typing = (user, on) => server.say({ type: "typing", conversation: "cnv_1", user, on });

test("who is here and who types is known, oneself left out of the latter", async () => {
  const heard = [];
  conversation.watch((changed) => heard.push(changed));
  await connected();
  presence(["usr_1", "usr_2"]);
  typing("usr_1", true);
  typing("usr_2", true);
  await until(() => conversation.company.typing.length, "typing");
  assert.deepEqual(conversation.company, { users: ["usr_1", "usr_2"], count: 2, typing: ["usr_2"] });
  assert.ok(heard.includes("company"));
  server.cut();
  await until(() => conversation.company.typing.length === 0, "silent again");
  assert.equal(conversation.company.count, 2);
});

test("one says that one types, once, and that one has stopped", async () => {
  conversation.watch(() => {});
  await connected();
  for (let keys = 0; keys < 5; keys += 1) conversation.type();
  await conversation.send("Hola");
  const said = server.frames.filter((frame) => frame.type === "typing").map((frame) => frame.on);
  assert.deepEqual(said, [true, false]);
});

test("the surroundings are heard without anybody's help", async () => {
  client.close();
  const surroundings = new EventTarget();
  surroundings.document = Object.assign(new EventTarget(), { visibilityState: "visible" });
  client = new Client({ url: server.url, token: "good", platform: { WebSocket, random: () => 0, surroundings } }).connect();
  conversation = client.conversation("cnv_1");
  conversation.watch(() => {});
  await connected();
  surroundings.dispatchEvent(new Event("offline"));
  assert.equal(client.status.phase, "offline");
  server.publish({ type: "message.created", message: { id: "msg_1", seq: 1, role: "user", text: "missed", status: "completed" } });
  surroundings.dispatchEvent(new Event("online"));
  await until(() => texts().includes("missed"), "resumed");
  const pings = () => server.frames.filter((frame) => frame.type === "ping").length;
  surroundings.document.dispatchEvent(new Event("visibilitychange"));
  await until(() => pings() === 1, "asked");
  client.close();
  surroundings.dispatchEvent(new Event("online"));
  assert.equal(client.status.phase, "idle");
});

test("a laptop that slept finds its dead socket out, and resumes", async () => {
  client.close();
  let [slept, monotonic] = [0, 0];
  const timers = new Map();
  const clock = {
    now: () => performance.now() + monotonic,
    wall: () => Date.now() + monotonic + slept,
    setTimeout: (run, wait) => {
      const id = setTimeout(run, Math.min(wait, 50));
      timers.set(id, run);
      return id;
    },
    surroundings: undefined,
  };
  client = new Client({ url: server.url, token: "good", platform: { WebSocket, random: () => 0, ...clock } }).connect();
  conversation = client.conversation("cnv_1");
  conversation.watch(() => {});
  await connected();
  server.deaf = true; // the socket is there and nobody answers any more
  slept = 3_600_000;
  await until(() => server.frames.some((frame) => frame.type === "ping"), "asked");
  server.publish({ type: "message.created", message: { id: "msg_1", seq: 1, role: "user", text: "missed", status: "completed" } }, { deliver: false });
  monotonic = 4_100;
  await until(() => texts().includes("missed"), "resumed on a new socket");
  assert.ok(server.frames.filter((frame) => frame.type === "hello").length >= 2);
});

test("an instance that goes away is left, and come back from at the time it said", async () => {
  conversation.watch(() => {});
  await connected();
  server.say({ type: "going_away", reconnect_after: 0.05 });
  server.close(1012);
  await until(() => client.status.phase === "waiting", "away");
  server.publish({ type: "message.created", message: { id: "msg_1", seq: 1, role: "user", text: "missed", status: "completed" } });
  await until(() => texts().includes("missed"), "resumed");
});

test("merged frames are taken, and a hole before one is mended", async () => {
  conversation.watch(() => {});
  await connected();
  server.publish({ type: "reply.queued", reply: "msg_2", message: "msg_1", seq: 2, position: 1 });
  const parts = ["uno ", "dos ", "tres ", "cuatro"];
  let at = 0;
  for (const text of parts) {
    server.publish({ type: "reply.delta", reply: "msg_2", at, text }, { deliver: false });
    at += text.length;
  }
  server.say({ type: "reply.delta", conversation: "cnv_1", reply: "msg_2", at: 0, text: "uno dos ", from: 2, offset: 3 });
  await until(() => texts()[0] === "uno dos ", "two in one");
  server.say({ type: "reply.delta", conversation: "cnv_1", reply: "msg_2", at: 13, text: "cuatro", from: 5, offset: 5 });
  await until(() => texts()[0] === parts.join(""), "mended");
  assert.equal(notices.filter(({ name }) => name === "gap").length, 1);
});
