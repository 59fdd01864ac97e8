/** Who else is in a conversation, and who types, as a value; and when to say that one types oneself. */

const AGAIN = 3_000; // who goes on typing says so this often
const PAUSE = 4_000; // who has not touched a key for so long has stopped

/**
 * @typedef {object} Company
 * @property {readonly string[]} users who is here, each once; not all of them, where there are very many
 * @property {number} count how many are here
 * @property {readonly string[]} typing who types, oneself left out
 */

/** @type {Company} */
export const nobody = Object.freeze({ users: Object.freeze([]), count: 0, typing: Object.freeze([]) });

/** @param {Company} company @param {object} frame `presence` or `typing` @param {string | null} me @returns {Company} */
export function heard(company, frame, me) {
  if (frame.type === "presence") return { ...company, users: frame.users, count: frame.count ?? frame.users.length };
  if (frame.type !== "typing" || frame.user === me) return company;
  const others = company.typing.filter((user) => user !== frame.user);
  if (!frame.on && others.length === company.typing.length) return company;
  return { ...company, typing: frame.on ? [...others, frame.user] : others };
}

/** Nobody types until it is said again: what was said is of a connection that is gone. @param {Company} company */
export const silent = (company) => (company.typing.length ? { ...company, typing: [] } : company);

/** Says when one begins and stops to type: `say(true)` at the first key and now and then, `say(false)` after a pause. */
export class Typist {
  /** @param {(on: boolean) => void} say @param {{now: () => number, setTimeout: Function, clearTimeout: Function}} platform */
  constructor(say, platform) {
    this.say = say;
    this.platform = platform;
    this.saidAt = null;
    this.timer = null;
  }

  /** A key was touched. */
  key() {
    const now = this.platform.now();
    if (this.saidAt === null || now - this.saidAt >= AGAIN) {
      this.saidAt = now;
      this.say(true);
    }
    this.platform.clearTimeout(this.timer);
    this.timer = this.platform.setTimeout(() => this.stop(), PAUSE);
  }

  /** Sent, or thought better of it. */
  stop() {
    this.platform.clearTimeout(this.timer);
    this.timer = null;
    if (this.saidAt === null) return;
    this.saidAt = null;
    this.say(false);
  }
}
