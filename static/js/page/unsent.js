/**
 * What one has said and the server has not got yet, kept in this browser: a page that is closed meanwhile sends it when it is
 * opened again, under the same key, so that it is sent once. Each message by itself, since several tabs keep theirs here.
 */

import { names, recall, remember } from "./storage.js";

const PREFIX = "unsent.";
const nameOf = (conversation, key) => `${PREFIX}${conversation}.${key}`;

/** @param {string} conversation @param {{key: string, text: string, reply?: object | false}} message */
export function keep(conversation, { key, text, reply }) {
  remember(nameOf(conversation, key), JSON.stringify({ text, reply, at: Date.now() }));
}

/** The server has refused it: it is not sent again by itself. @param {{code: string, detail: string}} problem */
export function note(conversation, key, problem) {
  const name = nameOf(conversation, key);
  const kept = recall(name);
  if (kept) remember(name, JSON.stringify({ ...JSON.parse(kept), problem }));
}

/** It has arrived, or was thrown away. */
export function forget(conversation, key) {
  remember(nameOf(conversation, key), null);
}

/** All that is kept, in the order in which it was said. @returns {{conversation: string, key: string, text: string, problem?: object}[]} */
export function unsent() {
  const found = names(PREFIX).map((name) => {
    const [conversation, key] = name.slice(PREFIX.length).split(".");
    return { conversation, key, ...JSON.parse(recall(name) ?? "{}") };
  });
  return found.filter(({ text }) => text).sort((one, other) => one.at - other.at);
}
