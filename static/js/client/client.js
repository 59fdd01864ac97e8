/**
 * The client: one socket for all conversations, and the HTTP routes beside it. A thin shell around `Session`, which
 * decides; here are the socket, the timer and the promises. There is no DOM in it: browsers, Node and others take it.
 *
 *     const client = new Client({ url: "http://127.0.0.1:8004", token: "eyJ…" });
 *     const conversation = client.conversation("cnv_…");
 *     conversation.watch(() => console.log(conversation.transcript.messages));
 *     await conversation.send("Hola");
 */

import { Api } from "./api.js";
import { Conversation } from "./conversation.js";
import { ChatError, Refused, SignedOut } from "./errors.js";
import { Http } from "./http.js";
import { Listing } from "./listing.js";
import { Session } from "./session.js";
import { listenTo } from "./surroundings.js";
import { codePoints } from "./text.js";

const SUBPROTOCOL = "chat.v1";
const OVERSLEPT = 5_000;

/** What the client needs of its surroundings; tests and other runtimes give their own. */
const platform = () => ({
  WebSocket: globalThis.WebSocket,
  fetch: globalThis.fetch,
  setTimeout: (...given) => globalThis.setTimeout(...given),
  clearTimeout: (timer) => globalThis.clearTimeout(timer),
  /** Milliseconds of a clock that never goes back. */
  now: () => performance.now(),
  /** Milliseconds of the clock on the wall, which goes on while the device sleeps; the other one may not. */
  wall: () => Date.now(),
  /** Where `online`, `offline` and the like are heard. */
  surroundings: globalThis,
  random: Math.random,
  /** An idempotency key: nobody ever made it before. */
  key: () => Array.from(crypto.getRandomValues(new Uint8Array(12)), (byte) => byte.toString(16).padStart(2, "0")).join(""),
});

export class Client {
  /**
   * @param {object} options
   * @param {string | URL} options.url the server's address, http or https; a path in it ends with "/"
   * @param {string | ((refused?: string) => Promise<string>)} options.token a token, or where to get one. It is called
   *   with the token that was refused, if one was; it throws `SignedOut` when there is none to be had.
   * @param {object} [options.platform] parts of the surroundings to replace
   */
  constructor({ url, token, platform: given = {} }) {
    this.platform = { ...platform(), ...given };
    this.url = new URL(url);
    this.token = typeof token === "function" ? token : async (refused) => fixed(token, refused);
    this.http = new Http({ url, token: (refused) => this.token(refused), fetch: this.platform.fetch });
    this.api = new Api(this.http);
    this.session = new Session({ random: this.platform.random });
    this.conversations = new Map();
    this.listeners = new Map();
    this.promises = new Map();
    this.socket = null;
    this.timer = null;
    this.currentToken = undefined;
    this.refusedToken = undefined;
    this.stopListening = null;
  }

  /** `{phase, attempt, retryAt, reason}`; `retryAt` counts as `platform.now()` does. */
  get status() {
    return this.session.status;
  }

  /** The user whom the server took us for; null before the first `welcome`. */
  get user() {
    return this.session.user;
  }

  /** What one message may hold: `{text, frame, subscriptions}`; null before the first `welcome`. */
  get limits() {
    return this.session.limits;
  }

  /** Opens the connection and keeps it. Also the way back after "signed out" and "refused". */
  connect() {
    this.stopListening ??= listenTo(this.platform.surroundings, {
      online: () => this.online(true),
      offline: () => this.online(false),
      woken: () => this.woken(),
    });
    this.#run((now) => this.session.start(now));
    return this;
  }

  close() {
    this.stopListening?.();
    this.stopListening = null;
    this.#run(() => this.session.stop());
  }

  /** The device has slept, or may have: what is connected is put to the test. Heard by itself where browsers tell. */
  woken() {
    this.#run((now) => this.session.woken(now));
  }

  /** The device has (or has lost) its network. Heard by itself where browsers tell. */
  online(is = true) {
    this.#run((now) => (is ? this.session.online(now) : this.session.offline(now)));
  }

  /** @param {string} id @returns {Conversation} the same object for the same id */
  conversation(id) {
    if (!this.conversations.has(id)) this.conversations.set(id, new Conversation(this, id));
    return this.conversations.get(id);
  }

  /** One's list of conversations, live; null before the first `welcome`. @returns {Listing | null} the same object for the same user */
  listing() {
    if (this.user === null) return null;
    const id = `list:${this.user}`;
    if (!this.conversations.has(id)) this.conversations.set(id, new Listing(this, this.user));
    return this.conversations.get(id);
  }

  /**
   * @param {"status" | "event" | "snapshot" | "gap" | "mismatch"} name `event`: any event applied, with its frame;
   *   `snapshot`: a conversation's messages were replaced (its title and settings may have changed as well); `gap` and
   *   `mismatch` tell of what has been mended, for whoever counts such things
   * @returns {() => void} ends it
   */
  on(name, listener) {
    if (!this.listeners.has(name)) this.listeners.set(name, new Set());
    this.listeners.get(name).add(listener);
    return () => this.listeners.get(name).delete(listener);
  }

  /**
   * Sends a frame of the protocol and waits for its answer.
   * @param {object} frame without `id` @param {{keep?: boolean}} [options] `keep`: wait for a connection, and repeat the
   *   frame after a lost one; only for frames that are safe to repeat
   * @throws {ChatError}
   */
  request(frame, options) {
    return new Promise((resolve, reject) => {
      this.#run((now) => this.promises.set(this.session.request(now, frame, options), { resolve, reject }));
    });
  }

  // For its conversations.

  follow(conversation, after = conversation.position) {
    this.#run((now) => this.session.follow(now, conversation.id, after));
  }

  unfollow(conversation) {
    this.#run((now) => this.session.unfollow(now, conversation.id));
  }

  /** Sends a frame that wants no answer, if there is a connection. */
  tell(frame) {
    this.#run(() => this.session.tell(frame));
  }

  mark({ id, transcript }) {
    this.session.mark(id, transcript.epoch, transcript.offset);
  }

  emit(name, detail) {
    for (const listener of this.listeners.get(name) ?? []) listener(detail);
  }

  /** @throws {Refused} when the server would refuse it anyway */
  checkSize(text) {
    const most = this.limits?.text;
    if (!text.trim()) throw new Refused({ code: "text_empty", detail: "There is nothing to send." });
    if (most && codePoints(text) > most) {
      throw new Refused({ code: "text_too_long", detail: `A message may have ${most} characters at most.` });
    }
  }

  // Carrying out.

  #run(step) {
    step(this.platform.now());
    for (let effects = this.session.take(); effects.length; effects = this.session.take()) {
      for (const effect of effects) this.#carryOut(effect);
    }
    this.#setTimer();
  }

  #carryOut(effect) {
    switch (effect.do) {
      case "connect":
        this.#connect();
        break;
      case "renew":
        this.refusedToken = this.currentToken;
        break;
      case "write":
        if (this.socket?.readyState === 1) this.socket.send(JSON.stringify(effect.frame));
        break;
      case "hang up":
        this.#hangUp(effect.code);
        break;
      case "answer":
        this.#settle(effect.id)?.resolve(effect.frame);
        break;
      case "fail":
        this.#settle(effect.id)?.reject(effect.error);
        break;
      case "event":
        this.conversations.get(effect.frame.conversation)?.receive(effect.frame);
        break;
      case "lost":
        this.conversations.get(effect.conversation)?.lost(effect.error);
        break;
      case "status":
        this.#statusChanged();
        break;
    }
  }

  #statusChanged() {
    if (this.session.phase !== "open") for (const conversation of this.conversations.values()) conversation.interrupted();
    this.emit("status", this.status);
  }

  #settle(id) {
    const promise = this.promises.get(id);
    this.promises.delete(id);
    return promise;
  }

  async #connect() {
    this.#hangUp(1000);
    const attempt = (this.attempt = Symbol("attempt"));
    const current = () => this.attempt === attempt && this.session.phase === "connecting";
    try {
      this.currentToken = await this.token(this.refusedToken);
      this.refusedToken = undefined;
    } catch (error) {
      if (!(error instanceof ChatError)) throw error;
      if (current()) this.#run((now) => (error instanceof SignedOut ? this.session.signedOut() : this.session.closed(now)));
      return;
    }
    if (current()) this.#open();
  }

  #open() {
    const address = new URL("ws", this.url);
    address.protocol = address.protocol.replace("http", "ws");
    const socket = new this.platform.WebSocket(address.href, SUBPROTOCOL);
    this.socket = socket;
    // A socket that was given up may still speak; nobody listens to it any more.
    const whenCurrent = (step) => (event) => this.socket === socket && this.#run((now) => step(now, event));
    socket.addEventListener("open", whenCurrent((now) => this.session.opened(now, this.currentToken)));
    socket.addEventListener("message", whenCurrent((now, { data }) => this.session.received(now, JSON.parse(data))));
    socket.addEventListener("close", whenCurrent((now, { code }) => this.session.closed(now, code)));
    socket.addEventListener("error", () => {}); // `close` follows, with all there is to know
  }

  #hangUp(code) {
    const { socket } = this;
    this.socket = null;
    if (socket && socket.readyState < 2) socket.close(code);
  }

  #setTimer() {
    const { deadline } = this.session;
    // A timer that comes too early finds nothing due and is set again: cheaper than a new one for every frame.
    if (this.timer && deadline !== Infinity && this.timer.deadline <= deadline) return;
    if (this.timer) this.platform.clearTimeout(this.timer.id);
    this.timer = null;
    if (deadline === Infinity) return;
    const wait = Math.max(0, deadline - this.platform.now());
    const [begun, wall] = [this.platform.now(), this.platform.wall()];
    const id = this.platform.setTimeout(() => {
      this.timer = null;
      // Where our clock stood still while the device slept, the one on the wall tells.
      const slept = this.platform.wall() - wall - (this.platform.now() - begun) > OVERSLEPT;
      this.#run((now) => (slept ? this.session.woken(now) : this.session.tick(now)));
    }, Math.ceil(wait) + 1);
    this.timer = { deadline, id };
  }
}

function fixed(token, refused) {
  if (!token || token === refused) throw new SignedOut("The token was refused.");
  return token;
}
