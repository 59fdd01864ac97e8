/**
 * The life of a connection, without a connection: hello, resume, reconnect, silence, answers. It does no I/O and
 * reads no clock; it is told what happened and when, and leaves `effects` for a shell (client.js) to carry out:
 *
 *     {do: "connect"}               get a token and open a socket; then say `opened` or `closed`
 *     {do: "renew"}                 the token was refused: the next `connect` needs another
 *     {do: "write", frame}          send this object
 *     {do: "hang up", code}         close the socket; no `closed` need follow
 *     {do: "answer", id, frame}     settle a request
 *     {do: "fail", id, error}       settle a request
 *     {do: "event", frame}          something of a conversation, `subscribed` included
 *     {do: "lost", conversation, error}   the server will not let us follow it
 *     {do: "status"}                `status` has changed
 *
 * All times are milliseconds of one clock. After each call the shell carries out `take()`, and calls `tick` when
 * `deadline` has come.
 */

import { backoff, spread } from "./backoff.js";
import { adviceFor } from "./closing.js";
import { Refused, TimedOut, Unreachable } from "./errors.js";

const GREETING = 10_000; // from the beginning of a connection to `welcome`
const ANSWER = 15_000; // from a frame on the wire to its answer
const PATIENCE = 300_000; // for a request that waits for a connection
const PONG = 10_000; // from our `ping` to any sign of life
const AWAKE = 4_000; // the same, when there is reason to believe that the socket did not survive
const OVERSLEPT = 5_000; // a tick that comes so late says that the device has slept
const STEADY = 5_000; // a connection that lasts so long forgets the failures before it
const OPEN_ENDED = Infinity;

/** @typedef {"idle" | "connecting" | "open" | "waiting" | "offline" | "signed out" | "refused"} Phase */

export class Session {
  /** @param {{random?: () => number}} [options] */
  constructor({ random = Math.random } = {}) {
    this.random = random;
    /** @type {Phase} */
    this.phase = "idle";
    this.reason = null;
    this.user = null;
    this.limits = null;
    this.effects = [];
    /** Conversation → the position to resume from, or null. */
    this.followed = new Map();
    /** Id → {frame, sentAt, deadline, keep}: `keep` survives a lost connection. */
    this.requests = new Map();
    this.lastId = 0;
    this.attempt = 0;
    this.openedAt = 0;
    this.heartbeat = OPEN_ENDED;
    this.heardAt = 0;
    this.pingedAt = null;
    this.pong = PONG;
    this.phaseDeadline = OPEN_ENDED;
    this.goingAway = null;
    this.renewed = false;
  }

  // What the application wants.

  start(now) {
    if (["idle", "signed out", "refused"].includes(this.phase)) this.#connect(now);
  }

  stop() {
    this.#abandon((request) => this.#settle(request, new Unreachable("The connection was closed.")), true);
    this.effects.push({ do: "hang up", code: 1000 });
    this.#enter("idle");
  }

  /** Events of this conversation are wanted, from `after` on (`{epoch, offset}`), or from a snapshot. */
  follow(now, conversation, after = null) {
    this.followed.set(conversation, after);
    if (this.phase === "open") this.#subscribe(now, conversation);
  }

  unfollow(now, conversation) {
    if (this.followed.delete(conversation) && this.phase === "open") this.request(now, { type: "unsubscribe", conversation });
  }

  /** Where to resume this conversation after the connection is lost. */
  mark(conversation, epoch, offset) {
    if (this.followed.has(conversation)) this.followed.set(conversation, { epoch, offset });
  }

  /**
   * Sends a frame that wants an answer. With `keep` it waits for a connection, and is sent again after a lost one: only
   * for frames that are safe to repeat. @returns {string} the frame's id
   */
  request(now, frame, { keep = false } = {}) {
    const id = String((this.lastId += 1));
    const request = { id, frame: { ...frame, id }, keep, written: false, deadline: now + PATIENCE };
    this.requests.set(id, request);
    if (this.phase === "open") this.#write(now, request);
    else if (!keep) this.#settle(request, new Unreachable());
    return id;
  }

  /** Says something that wants no answer and is of no use later. */
  tell(frame) {
    if (this.phase === "open") this.effects.push({ do: "write", frame });
  }

  // What happened.

  /** The socket is open. */
  opened(now, token) {
    this.heardAt = now;
    this.effects.push({ do: "write", frame: { type: "hello", id: "hello", ...(token ? { token } : {}) } });
  }

  /** A frame has come. */
  received(now, frame) {
    this.heardAt = now;
    this.pingedAt = null;
    if (frame.type === "welcome") this.#welcomed(now, frame);
    else if (frame.type === "going_away") this.goingAway = frame.reconnect_after;
    else if (frame.type === "error" && frame.id === "hello") this.#greetingRefused(now, frame);
    else if (frame.id !== undefined && this.requests.has(frame.id)) this.#answered(now, frame);
    else if (frame.type === "error" && frame.conversation) this.#turnedAway(frame);
    else if (frame.conversation) this.effects.push({ do: "event", frame });
  }

  /** The socket has closed, or could not be opened. */
  closed(now, code = 1006) {
    if (!["connecting", "open"].includes(this.phase)) return;
    const advice = adviceFor(code);
    if (advice.oversized) this.#dropLargest();
    this.#lost(now);
    if (!advice.reconnect) this.#refuse(advice.reason);
    else if (advice.renew) this.#renew(now);
    else this.#wait(now, this.#delay(now, advice));
    this.goingAway = null;
  }

  /** No token could be had: nothing more happens until `start`. */
  signedOut() {
    this.#abandon((request) => this.#settle(request, new Refused({ code: "unauthenticated", detail: "Signed out." })), true);
    this.#enter("signed out");
  }

  /** The device is on a network again. */
  online(now) {
    if (this.phase === "offline" || this.phase === "waiting") this.#connect(now);
    // A socket that survived the change of network by luck is found out by asking.
    else if (this.phase === "open") this.#ping(now, AWAKE);
  }

  /** The device has slept, or the page was out of sight: the socket may have died without a word. */
  woken(now) {
    if (this.phase === "waiting") this.#connect(now);
    else if (this.phase === "open") this.#ping(now, AWAKE);
  }

  /** The device has left the network: trying would be pointless. */
  offline(now) {
    if (!["connecting", "open", "waiting"].includes(this.phase)) return;
    this.effects.push({ do: "hang up", code: 1000 });
    this.#lost(now);
    this.#enter("offline");
  }

  /** Time has passed. */
  tick(now) {
    if (now >= this.phaseDeadline) {
      if (this.phase === "waiting") this.#connect(now);
      else if (this.phase === "connecting") this.#drop(now);
    }
    for (const request of [...this.requests.values()]) {
      if (now >= request.deadline) this.#overdue(now, request);
    }
    if (this.phase !== "open") return;
    if (this.pingedAt === null && now >= this.heardAt + this.heartbeat) {
      this.#ping(now, now - this.heardAt - this.heartbeat > OVERSLEPT ? AWAKE : PONG);
    } else if (this.pingedAt !== null && now >= this.pingedAt + this.pong) this.#drop(now);
  }

  // What the shell reads.

  /** When `tick` is due; Infinity for never. */
  get deadline() {
    let due = this.phaseDeadline;
    for (const request of this.requests.values()) due = Math.min(due, request.deadline);
    if (this.phase !== "open") return due;
    return Math.min(due, this.pingedAt === null ? this.heardAt + this.heartbeat : this.pingedAt + this.pong);
  }

  /** What a person may want to know: the phase, when the next attempt is, how many failed, and why it was given up. */
  get status() {
    return {
      phase: this.phase,
      attempt: this.attempt,
      retryAt: this.phase === "waiting" ? this.phaseDeadline : null,
      reason: this.reason,
    };
  }

  /** The effects since the last call, in order. */
  take() {
    return this.effects.splice(0);
  }

  #enter(phase, deadline = OPEN_ENDED, reason = null) {
    Object.assign(this, { phase, phaseDeadline: deadline, reason });
    this.effects.push({ do: "status" });
  }

  #connect(now) {
    this.#enter("connecting", now + GREETING);
    this.effects.push({ do: "connect" });
  }

  #welcomed(now, frame) {
    this.user = frame.user;
    this.limits = frame.limits ?? null;
    this.heartbeat = (frame.heartbeat ?? 25) * 1000;
    this.openedAt = now;
    this.renewed = false;
    this.#enter("open");
    for (const conversation of this.followed.keys()) this.#subscribe(now, conversation);
    for (const request of this.requests.values()) if (!request.written) this.#write(now, request);
  }

  #greetingRefused(now, frame) {
    this.effects.push({ do: "hang up", code: 1000 });
    if (frame.code === "unauthenticated") this.#renew(now);
    else this.#wait(now, (frame.retry_after ?? backoff(this.attempt, this.random)) * 1000);
  }

  /** A new token is worth one try; refused as well, it is the server that is confused: slow down. */
  #renew(now) {
    this.effects.push({ do: "renew" });
    if (this.renewed) this.#wait(now, backoff(this.attempt + 3, this.random) * 1000);
    else this.#connect(now);
    this.renewed = true;
  }

  #answered(now, frame) {
    const request = this.requests.get(frame.id);
    this.requests.delete(frame.id);
    if (request.frame.type === "subscribe") this.#subscribeAnswered(now, request, frame);
    else if (frame.type === "error") this.effects.push({ do: "fail", id: frame.id, error: new Refused(frame) });
    else this.effects.push({ do: "answer", id: frame.id, frame });
  }

  #subscribeAnswered(now, request, frame) {
    const { conversation } = request.frame;
    if (!this.followed.has(conversation)) return;
    if (frame.type !== "error") this.effects.push({ do: "event", frame });
    else if (frame.retry_after) this.#later(now, request, frame.retry_after * 1000);
    else this.#turnedAway({ ...frame, conversation });
  }

  /** The server does not let us follow it, or not any more. */
  #turnedAway({ conversation, ...problem }) {
    if (this.followed.delete(conversation)) this.effects.push({ do: "lost", conversation, error: new Refused(problem) });
  }

  /** Asks again after a while; #overdue does it. */
  #later(now, request, delay) {
    this.requests.set(request.id, { ...request, written: false, deadline: now + delay });
  }

  #subscribe(now, conversation) {
    const after = this.followed.get(conversation);
    this.request(now, { type: "subscribe", conversation, ...(after ? { after } : {}) });
  }

  #write(now, request) {
    request.written = true;
    request.deadline = now + ANSWER;
    this.effects.push({ do: "write", frame: request.frame });
  }

  #overdue(now, request) {
    if (request.frame.type !== "subscribe") this.#settle(request, request.written ? new TimedOut() : new Unreachable());
    // A subscription that is not answered leaves us deaf: better a new connection.
    else if (request.written) this.#drop(now);
    else this.#write(now, request);
  }

  #settle(request, error) {
    this.requests.delete(request.id);
    this.effects.push({ do: "fail", id: request.id, error });
  }

  #ping(now, patience) {
    if (this.pingedAt !== null) return; // one that waits for its answer already is older, and as good
    this.pingedAt = now;
    this.pong = patience;
    this.effects.push({ do: "write", frame: { type: "ping" } });
  }

  /** Gives a silent or stuck socket up. */
  #drop(now) {
    this.effects.push({ do: "hang up", code: 1000 });
    this.closed(now, 1006);
  }

  #lost(now) {
    if (this.phase === "open" && now - this.openedAt >= STEADY) this.attempt = 0;
    this.pingedAt = null;
    this.#abandon((request) => this.#settle(request, new Unreachable("The connection was lost.")), false, now);
  }

  /** Forgets the subscriptions' requests (they are made anew) and settles the others, but for those that are kept. */
  #abandon(settle, all, now = 0) {
    for (const request of [...this.requests.values()]) {
      if (request.frame.type === "subscribe") this.requests.delete(request.id);
      else if (all || !request.keep) settle(request);
      else if (request.written) Object.assign(request, { written: false, deadline: now + PATIENCE });
    }
  }

  /** 1009 does not say which frame it was: the largest one on its way is the only good guess. */
  #dropLargest() {
    const size = (request) => JSON.stringify(request.frame).length;
    const [largest] = [...this.requests.values()].filter((r) => r.written).sort((a, b) => size(b) - size(a));
    if (largest) this.#settle(largest, new Refused({ code: "too_large", detail: "The message is too long." }));
  }

  #refuse(reason) {
    this.#abandon((request) => this.#settle(request, new Unreachable(reason)), true);
    this.#enter("refused", OPEN_ENDED, reason);
  }

  #delay(now, advice) {
    if (this.goingAway !== null) return spread(this.goingAway, this.random) * 1000;
    if (advice.after !== undefined) return spread(advice.after, this.random) * 1000;
    return backoff(this.attempt, this.random) * 1000;
  }

  #wait(now, delay) {
    this.attempt += 1;
    this.#enter("waiting", now + Math.round(delay));
  }
}
