/**
 * One's own messages that the server has not shown back yet, as a value: a list of
 * `{key, text, reply, status: "sending" | "failed", message, error}`. They are shown after the transcript's messages.
 */

/** @typedef {readonly object[]} Outgoing */

/** @type {Outgoing} */
export const nothing = Object.freeze([]);

/** A message on its way. Sent again under the same key, it takes its old place. */
export function sending(outgoing, { key, text, reply }) {
  const entry = { key, text, reply, status: "sending", message: null, error: null };
  return outgoing.some((known) => known.key === key)
    ? outgoing.map((known) => (known.key === key ? entry : known))
    : [...outgoing, entry];
}

/** The server has it, under this id. */
export function accepted(outgoing, key, message) {
  return outgoing.map((entry) => (entry.key === key ? { ...entry, message } : entry));
}

/** It was not sent; the text stays, to be tried again. */
export function failed(outgoing, key, error) {
  return outgoing.map((entry) => (entry.key === key ? { ...entry, status: "failed", error } : entry));
}

export function dropped(outgoing, key) {
  return outgoing.filter((entry) => entry.key !== key);
}

/**
 * Which entry a stored message is, by its id or its key: the event may arrive before the answer that names the id.
 */
export function matching(outgoing, message) {
  return outgoing.find((entry) => entry.message === message.id || (message.key && entry.key === message.key));
}
