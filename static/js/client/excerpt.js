/**
 * A part of a conversation far above its live end, as a value: somebody went to an old message, and reads on from there, up
 * and down, page by page, until it meets the transcript (transcript.js). What lies between is not loaded.
 */

import { linked, put, voided } from "./branches.js";
import { prepend, received } from "./transcript.js";

/**
 * @typedef {object} Excerpt
 * @property {readonly object[]} messages neighbours on the chosen branch
 * @property {string | null} previous the cursor of the page before, null at the beginning
 * @property {string | null} next the cursor of the page after
 */

/** @param {{items: object[], previous: string | null, next: string | null}} page @returns {Excerpt} */
export const excerptOf = ({ items, previous, next }) => ({ messages: linked(items.map(received)), previous, next });

/** With the page before it. @param {Excerpt} excerpt @param {object} page */
export function withOlder(excerpt, page) {
  const { messages, previous } = excerptOf(page);
  return { ...excerpt, messages: [...messages, ...excerpt.messages], previous };
}

/** With the page after it. @param {Excerpt} excerpt @param {object} page */
export function withNewer(excerpt, page) {
  const { messages, next } = excerptOf(page);
  return { ...excerpt, messages: [...excerpt.messages, ...messages], next };
}

const changed = (excerpt, id, change) => ({
  ...excerpt,
  messages: excerpt.messages.map((message) => (message.id === id ? change(message) : message)),
});

/** With what an event says of a message that is shown: taken back, put away, or taken out. @param {Excerpt} excerpt */
export function told(excerpt, event) {
  if (event.type === "message.retracted") return changed(excerpt, event.message, voided);
  const { archived, turns } = event;
  if (event.type === "message.archived") return changed(excerpt, event.message, (message) => put(message, { archived, turns }));
  return excerpt;
}

/**
 * The transcript with the excerpt before it, where the two meet; null where they do not, or not yet.
 *
 * @param {import("./transcript.js").Transcript} transcript @param {Excerpt} excerpt
 */
export function joined(transcript, excerpt) {
  const [first] = transcript.messages;
  const last = excerpt.messages.at(-1);
  if (!first || !last) return null;
  if (last.seq < first.seq && last.id !== first.parent) return null;
  const grown = prepend(transcript, excerpt.messages);
  return grown.missing && !transcript.missing ? null : grown;
}

/** Whether the live end still goes on from where it was: if not, another branch was chosen. */
export function goesOn(before, after) {
  const last = before.messages.at(-1);
  return !last || after.messages.some(({ id }) => id === last.id);
}
