/**
 * A small server of the protocol on real sockets, for the client's tests: one log per conversation, resume, idempotent
 * sends. What it does wrong (cut, forget, skip) a test asks it to do.
 */

import { createHash } from "node:crypto";
import { createServer } from "node:http";
import { once } from "node:events";
import { WebSocketServer } from "ws";

const CONVERSATION = "cnv_1";
export const sha256 = (text) => createHash("sha256").update(text).digest("hex");

export class Double {
  constructor() {
    this.epoch = "e1";
    this.log = [];
    this.messages = [];
    this.sends = new Map();
    this.frames = [];
    this.goodToken = "good";
    this.acceptSilently = false;
    this.deaf = false;
    this.http = createServer((request, response) => this.#http(request, response));
    this.sockets = new WebSocketServer({ server: this.http, path: "/ws" });
    this.sockets.on("connection", (socket) => socket.on("message", (data) => this.#frame(socket, JSON.parse(data))));
  }

  async start(port = 0) {
    this.http.listen(port, "127.0.0.1");
    await once(this.http, "listening");
    this.url = `http://127.0.0.1:${this.http.address().port}/`;
    return this;
  }

  async stop() {
    this.cut();
    this.sockets.close();
    this.http.closeAllConnections();
    await new Promise((resolve) => this.http.close(resolve));
  }

  /** Cuts every connection without a word, as a broken network does. */
  cut() {
    for (const socket of this.sockets.clients) socket.terminate();
  }

  close(code) {
    for (const socket of this.sockets.clients) socket.close(code);
  }

  say(frame) {
    for (const socket of this.sockets.clients) socket.send(JSON.stringify(frame));
  }

  /** Appends to the log; delivers unless told otherwise. */
  publish(event, { deliver = true } = {}) {
    const entry = { conversation: CONVERSATION, ...event, offset: this.log.length + 1 };
    this.log.push(entry);
    if (deliver) for (const socket of this.sockets.clients) if (socket.following) socket.send(JSON.stringify(entry));
    return entry;
  }

  /** One whole reply, delta by delta. */
  reply(id, seq, parts, sha = sha256(parts.join(""))) {
    this.publish({ type: "reply.queued", reply: id, message: "msg_1", seq, position: 1 });
    this.publish({ type: "reply.started", reply: id, provider: "p", model: "m", attempt: 1 });
    let at = 0;
    for (const text of parts) {
      this.publish({ type: "reply.delta", reply: id, at, text });
      at += Array.from(text).length;
    }
    this.publish({ type: "reply.completed", reply: id, length: at, sha256: sha, usage: null, cost: null, timing: null });
  }

  #frame(socket, frame) {
    this.frames.push(frame);
    const answer = (body) => socket.send(JSON.stringify({ id: frame.id, ...body }));
    if (frame.type === "hello") this.#hello(socket, frame, answer);
    else if (frame.type === "subscribe") this.#subscribe(socket, frame, answer);
    else if (frame.type === "send") this.#send(frame, answer);
    else if (frame.type === "ping") this.deaf || answer({ type: "pong" });
    else if (frame.type === "typing") this.say({ type: "typing", conversation: frame.conversation, user: "usr_1", on: frame.on });
    else answer({ type: "error", code: "unknown_type", detail: "?" });
  }

  #hello(socket, { token }, answer) {
    if (token !== this.goodToken) return socket.close(4401);
    return answer({ type: "welcome", session: "ses_1", user: "usr_1", heartbeat: 25, limits: { text: 100 } });
  }

  #subscribe(socket, { conversation, after }, answer) {
    if (conversation !== CONVERSATION) return answer({ type: "error", code: "not_found", detail: "No such conversation." });
    socket.following = true;
    const common = { type: "subscribed", conversation, epoch: this.epoch, offset: this.log.length };
    if (after?.epoch !== this.epoch) return answer({ ...common, recovered: false, snapshot: { messages: this.messages } });
    answer({ ...common, recovered: true });
    for (const event of this.log.slice(after.offset)) socket.send(JSON.stringify(event));
    return undefined;
  }

  #send({ key, text }, answer) {
    const known = this.sends.get(key);
    if (known) return answer({ type: "accepted", ...known, duplicate: true });
    const seq = this.sends.size + 1;
    const ids = { message: `msg_${seq}`, reply: null };
    this.sends.set(key, ids);
    this.publish({ type: "message.created", message: { id: ids.message, seq, role: "user", user: "usr_1", text, status: "completed" } });
    if (this.acceptSilently) return undefined;
    return answer({ type: "accepted", ...ids, duplicate: false });
  }

  #http(request, response) {
    const answer = (status, body, type = "application/json") => {
      response.writeHead(status, { "Content-Type": type }).end(JSON.stringify(body));
    };
    const url = new URL(request.url, this.url);
    if (request.headers.authorization !== `Bearer ${this.goodToken}`) {
      return answer(401, { code: "unauthenticated", detail: "Who are you?", status: 401 }, "application/problem+json");
    }
    if (url.pathname.endsWith("/messages")) {
      const page = this.page(url.searchParams);
      if (page) return answer(200, page);
    }
    if (url.pathname === "/v1/me") return answer(200, { id: "usr_1" });
    return answer(404, { code: "not_found", detail: "There is nothing here.", status: 404 }, "application/problem+json");
  }

  page(query) {
    const limit = Number(query.get("limit"));
    const all = this.messages;
    const at = all.findIndex(({ id }) => id === query.get("around"));
    if (query.has("around") && at < 0) return null;
    let end = query.has("before") ? Number(query.get("before")) : all.length;
    if (query.has("after")) end = Number(query.get("after")) + limit;
    if (query.has("around")) end = at + limit / 2;
    const start = Math.max(0, end - limit);
    return {
      items: all.slice(start, end),
      next: end < all.length ? String(end) : null,
      previous: start > 0 ? String(start) : null,
    };
  }
}
