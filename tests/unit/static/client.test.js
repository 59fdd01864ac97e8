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
