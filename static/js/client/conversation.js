/**
 * One conversation, live: a transcript kept up to date, one's own messages on their way, and the verbs. Made by
 * `client.conversation(id)`; it is followed on the socket while somebody watches it.
 */

import { find } from "./branches.js";
import { heard, nobody, silent, Typist } from "./company.js";
import { sha256 } from "./digest.js";
import { excerptOf, goesOn, joined, told, withNewer, withOlder } from "./excerpt.js";
import { accepted, dropped, failed, matching, nothing, sending } from "./outgoing.js";
import { apply, blank, hasEnded, hasOlder, install, lacksThoughts, prepend, withThoughts } from "./transcript.js";

const MEND_PAUSE = 2_000; // at least so long between two attempts to mend the same hole by a snapshot

export class Conversation {
  /** @param {import("./client.js").Client} client @param {string} id */
  constructor(client, id) {
    this.client = client;
    this.id = id;
    this.transcript = blank;
    /** What is read far above the live end, or null: see `goTo`. */
    this.excerpt = null;
    this.outgoing = nothing;
    /** Who is here and who types: `{users, count, typing}`. */
    this.company = nobody;
    this.typist = new Typist((on) => client.tell({ type: "typing", conversation: id, on }), client.platform);
    /** Why it cannot be followed (an error), or null. */
    this.error = null;
    /** Whether the first snapshot has come. */
    this.loaded = false;
    this.following = false;
    this.settled = false;
    this.mendedAt = -Infinity;
    this.cursor = undefined;
    this.paging = null;
    this.seeking = false;
    this.watchers = new Set();
  }

  /**
   * Calls `listener` after each change, with the id of the one message that has changed, null when more has, or "company"
   * when others came, went or type. The conversation is followed from the first watcher on until the last one leaves.
   *
   * @param {(changed: string | null) => void} listener @returns {() => void} ends it
   */
  watch(listener) {
    this.watchers.add(listener);
    if (this.watchers.size === 1) this.#follow();
    return () => {
      this.watchers.delete(listener);
      if (this.watchers.size === 0) this.#unfollow();
    };
  }

  /**
   * Sends a message. It is shown at once in `outgoing`, survives lost connections under its key, and is sent once.
   *
   * @param {string} text
   * @param {{key?: string, reply?: object | false}} [options] `key` repeats a send that failed
   * @returns {Promise<{message: string, reply: string | null, duplicate: boolean}>} when it is stored
   */
  async send(text, { key = this.client.platform.key(), reply } = {}) {
    this.typist.stop();
    this.#setOutgoing(sending(this.outgoing, { key, text, reply }));
    try {
      this.client.checkSize(text);
      const frame = { type: "send", conversation: this.id, text, key, ...(reply === undefined ? {} : { reply }) };
      const answer = await this.client.request(frame, { keep: true });
      const shown = this.transcript.messages.some((message) => message.id === answer.message);
      this.#setOutgoing(shown ? dropped(this.outgoing, key) : accepted(this.outgoing, key, answer.message));
      return answer;
    } catch (error) {
      this.#setOutgoing(failed(this.outgoing, key, error));
      throw error;
    }
  }

  /** Sends a failed message again, under its key: if the server had it all along, nothing happens twice. */
  resend(key) {
    const entry = this.outgoing.find((known) => known.key === key);
    return entry ? this.send(entry.text, { key, reply: entry.reply }) : Promise.resolve(null);
  }

  /** Shows a message that was refused in an earlier life of the page. @param {{key: string, text: string}} message @param {Error} error */
  recover(message, error) {
    this.#setOutgoing(failed(sending(this.outgoing, message), message.key, error));
  }

  /** Forgets a message that could not be sent. */
  discard(key) {
    this.#setOutgoing(dropped(this.outgoing, key));
  }

  /** Stops a reply, waiting or running; the event `reply.cancelled` says when it has really stopped. */
  cancel(reply) {
    return this.client.request({ type: "cancel", reply }, { keep: true });
  }

  /** To be called at each key that is touched in what will be a message: others see that one types. */
  type() {
    if (this.settled) this.typist.key();
  }

  /** The draft was thrown away. */
  stopTyping() {
    this.typist.stop();
  }

  /**
   * Asks for another answer to the same message; the earlier ones stay beside it, as `siblings`.
   *
   * @param {string} reply @param {{key?: string, settings?: object}} [options] `key` repeats a request that failed
   */
  regenerate(reply, { key = this.client.platform.key(), settings } = {}) {
    return this.client.request({ type: "regenerate", reply, key, ...(settings ? { settings } : {}) }, { keep: true });
  }

  /** Says a message of one's own differently: another version, on a branch of its own, with a reply of its own. */
  async edit(message, text, { key = this.client.platform.key(), reply } = {}) {
    this.client.checkSize(text);
    return this.client.request({ type: "edit", message, text, key, ...(reply === undefined ? {} : { reply }) }, { keep: true });
  }

  /** Goes on with the branch on which a message lies. */
  async choose(message) {
    const answer = await this.client.request({ type: "choose", message }, { keep: true });
    // The event that says so to everybody may be lost where the answer was not.
    this.client.platform.setTimeout(() => this.#expect(answer.head), MEND_PAUSE);
    return answer;
  }

  /** Takes a message back: its place stays, its text is gone. */
  retract(message) {
    return this.client.request({ type: "retract", message }, { keep: true });
  }

  /** Puts a message away, or takes it out again: it is kept, and no model reads it, nor does a search find it. */
  archive(message, archived = true) {
    return this.client.request({ type: "archive", message, archived }, { keep: true });
  }

  /** The messages that are read: those up to the live end, or an excerpt far above it. */
  get shown() {
    return this.excerpt?.messages ?? this.transcript.messages;
  }

  /** Whether there is more above what is shown. */
  get hasOlder() {
    return this.excerpt ? this.excerpt.previous !== null : hasOlder(this.transcript);
  }

  /** Loads one page of older messages. @returns {Promise<boolean>} whether there may be more */
  async older() {
    if (!this.hasOlder) return false;
    return this.#paged(() => (this.excerpt ? this.#extend("previous") : this.#loadOlder()));
  }

  /** After `goTo`, loads the page below what is shown, until that has come to the live end. */
  async newer() {
    if (this.excerpt) await this.#paged(() => this.#extend("next"));
  }

  /**
   * Goes to a message, however far above: if it is not near, it and its neighbours become an `excerpt`, and `older` and
   * `newer` go on from there.
   *
   * @param {string} message @returns {Promise<boolean>} whether it is on the branch that is shown
   */
  async goTo(message) {
    if (this.shown.some(({ id }) => id === message)) return true;
    if (this.transcript.messages.some(({ id }) => id === message)) {
      this.live();
      return true;
    }
    try {
      this.excerpt = excerptOf(await this.client.api.messages(this.id, { around: message, limit: 50 }));
    } catch (error) {
      if (error.code !== "not_found") throw error;
      return false;
    }
    this.#join();
    return true;
  }

  /** Back to the live end. */
  live() {
    if (!this.excerpt) return;
    this.excerpt = null;
    this.#tell(null);
  }

  // What the client passes on.

  /** @param {object} frame an event of this conversation, or `subscribed` */
  receive(frame) {
    if (frame.type === "subscribed") this.#install(frame);
    else if (frame.offset === undefined) this.#hear(frame);
    else if (this.settled) this.#apply(frame);
  }

  /** The connection is gone: until the next `subscribed`, what comes is not ours to apply. */
  interrupted() {
    this.settled = false;
  }

  /** The server will not let us follow it. */
  lost(error) {
    this.error = error;
    this.following = false;
    this.#tell(null);
  }

  #hear(frame) {
    const company = heard(this.company, frame, this.client.user);
    if (company === this.company) return;
    this.company = company;
    this.#tell("company");
    this.client.emit("event", frame);
  }

  #follow() {
    this.following = true;
    this.client.follow(this);
  }

  #unfollow() {
    this.following = false;
    this.settled = false;
    // Whoever comes back begins with the newest, as ever.
    this.excerpt = null;
    this.typist.stop();
    this.client.unfollow(this);
  }

  /** Where to resume, or null for a snapshot. */
  get position() {
    const { epoch, offset } = this.transcript;
    return epoch === null ? null : { epoch, offset };
  }

  #install(frame) {
    this.transcript = install(this.transcript, frame);
    if (frame.snapshot) this.cursor = frame.snapshot.previous ?? undefined;
    this.error = null;
    this.loaded = true;
    this.settled = true;
    this.company = silent(this.company);
    for (const message of this.transcript.messages) this.#showBack(message);
    this.client.mark(this);
    this.#tell(null);
    if (frame.snapshot) this.client.emit("snapshot", { conversation: this.id });
  }

  #apply(frame) {
    const { transcript, verdict } = apply(this.transcript, frame);
    if (verdict === "gap") this.#mend();
    if (verdict !== "applied") return;
    if (this.excerpt && !goesOn(this.transcript, transcript)) this.excerpt = null;
    if (this.excerpt) this.excerpt = told(this.excerpt, frame);
    this.transcript = transcript;
    this.client.mark(this);
    if (frame.type === "message.created") this.#showBack(frame.message);
    if (frame.type === "reply.completed") this.#verify(frame);
    this.#recall(frame.reply);
    this.#tell(frame.type.startsWith("reply.") && frame.type !== "reply.queued" ? frame.reply : null);
    this.client.emit("event", frame);
    this.#seek();
  }

  /** Something of the branch has not come: it may be on its way; if not, a snapshot has it. */
  #seek() {
    const { missing } = this.transcript;
    if (missing === "long") this.#mend({ anew: true });
    if (missing !== "torn" || this.seeking) return;
    this.seeking = true;
    this.client.platform.setTimeout(() => {
      this.seeking = false;
      if (this.transcript.missing && this.settled) this.#mend({ anew: true });
    }, MEND_PAUSE);
  }

  /** Unless it was chosen anew since, the branch ends with `head`. */
  #expect(head) {
    if (this.settled && this.following && !find(this.transcript, head)) this.#mend({ anew: true });
  }

  /** A hole: ask for what is missing; if that was just tried, for everything. */
  #mend({ anew = false } = {}) {
    const now = this.client.platform.now();
    const again = now - this.mendedAt < MEND_PAUSE;
    this.mendedAt = now;
    this.settled = false;
    if (!anew) this.client.emit("gap", { conversation: this.id, offset: this.transcript.offset });
    const resume = () => this.following && this.client.follow(this, anew || again ? null : this.position);
    if (again) this.client.platform.setTimeout(resume, MEND_PAUSE);
    else resume();
  }

  /** The proof: our text is the stored text. */
  async #verify({ reply, sha256: expected }) {
    const { text } = find(this.transcript, reply) ?? {};
    if (text === undefined || !expected) return;
    const actual = await sha256(text);
    if (actual === null || actual === expected) return;
    this.client.emit("mismatch", { conversation: this.id, reply, expected, actual });
    if (this.settled) this.#mend({ anew: true });
  }

  /** What a reply thought before we came is not told again; once it has ended, the store has it. */
  async #recall(reply) {
    const known = reply && find(this.transcript, reply);
    if (!known || !hasEnded(known) || !lacksThoughts(known)) return;
    this.transcript = withThoughts(this.transcript, known); // asked for once
    try {
      const stored = await this.client.api.message(reply);
      if (!stored.reasoning) return;
      this.transcript = withThoughts(this.transcript, stored);
      this.#tell(reply);
    } catch {
      // Not now, then: the next snapshot has it.
    }
  }

  /** One's own message has come back from the server: it is not on its way any more. */
  #showBack(message) {
    const entry = matching(this.outgoing, message);
    if (entry) this.outgoing = dropped(this.outgoing, entry.key);
  }

  #paged(load) {
    this.paging ??= load().finally(() => {
      this.paging = null;
    });
    return this.paging;
  }

  /** One page more, above or below the excerpt. @param {"previous" | "next"} side */
  async #extend(side) {
    const before = this.excerpt;
    const cursor = before[side];
    if (cursor !== null) {
      const page = await this.client.api.messages(this.id, { [side === "next" ? "after" : "before"]: cursor, limit: 50 });
      // Meanwhile one may have gone elsewhere.
      if (this.excerpt?.[side] !== cursor) return this.hasOlder;
      this.excerpt = side === "next" ? withNewer(this.excerpt, page) : withOlder(this.excerpt, page);
    }
    this.#join();
    return this.hasOlder;
  }

  /** An excerpt that has come to the live end is part of the transcript; one that cannot is left. */
  #join() {
    const whole = joined(this.transcript, this.excerpt);
    if (whole) {
      this.transcript = whole;
      this.cursor = this.excerpt.previous ?? undefined;
    }
    if (whole || this.excerpt.next === null) this.excerpt = null;
    this.#tell(null);
  }

  async #loadOlder() {
    const first = this.transcript.messages[0].seq;
    let page;
    do {
      // Cursors are the server's: without one, the pages begin at the newest and are read down to what is missing.
      page = await this.client.api.messages(this.id, { before: this.cursor, limit: 50 });
      this.cursor = page.previous ?? undefined;
    } while (page.previous && page.items[0]?.seq >= first);
    this.transcript = prepend(this.transcript, page.items);
    this.#tell(null);
    this.#seek();
    return Boolean(page.previous) && hasOlder(this.transcript);
  }

  #setOutgoing(outgoing) {
    this.outgoing = outgoing;
    this.#tell(null);
  }

  #tell(changed) {
    for (const listener of [...this.watchers]) listener(changed);
  }
}
