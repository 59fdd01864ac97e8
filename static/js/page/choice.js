/** Which model answers: what was chosen for a conversation, or here for the next new one. Pure, but for what the browser remembers. */

import { recall, remember } from "./storage.js";

/** What was chosen here before; another version of the page may have written it otherwise. */
export function chosenBefore() {
  try {
    return JSON.parse(recall("choice") ?? "null");
  } catch {
    return null;
  }
}

/** @param {{provider: string, model: string}} choice what the next new conversation begins with, in this browser */
export function keepChoice(choice) {
  remember("choice", JSON.stringify(choice));
}

/**
 * The first of the wishes that can be asked, or the server's own choice; null where there is nobody to ask.
 *
 * @param {object[]} models those that can be asked @param {({provider?: string, model?: string} | null | undefined)[]} wishes
 */
export function answering(models, wishes) {
  const known = (wish) => models.find((entry) => entry.model === wish?.model && (!wish.provider || entry.provider === wish.provider));
  return wishes.map(known).find(Boolean) ?? models.find((entry) => entry.default) ?? models[0] ?? null;
}

/** Only what is set: the server may list the others as null. */
export const stated = (settings) => Object.fromEntries(Object.entries(settings ?? {}).filter(([, value]) => value !== null));
