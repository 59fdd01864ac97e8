/** The list of conversations as a value: what is known of it, and what is shown, in which order. Pure. */

import { day } from "./times.js";

/** When something last happened in a conversation. */
export const latest = (item) => item.updated_at ?? item.created_at;

/** A conversation has no name before its first message. */
export const titleOf = (item) => item.title || "New conversation";

/** Whether a person began it: only then can it be deleted, and only otherwise can it be left. */
export const isOwn = (item, user) => item.owner === user;

export const takesPart = (item, user) => isOwn(item, user) || item.members.includes(user);

const byLatest = (a, b) => latest(b).localeCompare(latest(a));
const inOrder = (a, b) => Number(b.pinned ?? false) - Number(a.pinned ?? false) || byLatest(a, b);

/** With these lines as they are now, wherever they belong: pinned ones first, then the latest. */
export function merged(list, items) {
  const known = new Map(list.map((item) => [item.id, item]));
  for (const item of items) known.set(item.id, item);
  return [...known.values()].sort(inOrder);
}

/**
 * With the first page as the server gives it. Older pages that were loaded stay, and so does what was put away; what is not
 * on the page, but would have to be, is gone, unless it was begun here and the server's answer may be older than that.
 *
 * @param {object[]} list @param {{conversations: object[], next: string | null}} page @param {Set<string>} begun
 * @returns {{conversations: object[], older: boolean}} `older`: whether more than the page is known
 */
export function withFirstPage(list, { conversations, next }, begun = new Set()) {
  const given = new Set(conversations.map(({ id }) => id));
  const oldest = next ? conversations.at(-1) : null;
  const isOlder = (item) => !item.archived && oldest !== null && byLatest(oldest, item) <= 0;
  const others = list.filter((item) => !given.has(item.id));
  const kept = others.filter((item) => item.archived || isOlder(item) || begun.has(item.id));
  return { conversations: merged(kept, conversations), older: kept.some((item) => isOlder(item) && !item.pinned) };
}

/** What is shown, from top to bottom: those put away, or the others. */
export const shown = (list, archive) => list.filter((item) => Boolean(item.archived) === archive);

/** Under their headings. @returns {[string, object[]][]} */
export function sections(list, now) {
  const found = new Map();
  for (const item of list) {
    const name = item.pinned ? "Pinned" : day(latest(item), now);
    found.set(name, [...(found.get(name) ?? []), item]);
  }
  return [...found];
}
