/**
 * The branches of a transcript (docs/protocol.md, "Branches"): which messages are shown, and which are kept aside. Values
 * in, values out, as in transcript.js.
 */

/** A message that is known, on whichever branch. */
export const find = (transcript, id) => transcript.messages.findLast((message) => message.id === id) ?? transcript.aside.get(id);

/** What is left of a message that was taken back. */
export const voided = (message) => ({ ...message, text: "", length: 0, reasoning: undefined, retracted: true });

/** A message as it was put away or taken out last; `told` may be older than what is known, or there may be none. */
export const put = (message, told) => (told && told.turns > (message.turns ?? 0) ? { ...message, ...told } : message);

/** Messages of a server that tells no parents come one after the other; "" is a parent that is not known by name. */
export function linked(messages, before) {
  return messages.map((message, index) => {
    if (message.parent !== undefined) return message;
    const previous = messages[index - 1] ?? before;
    return { ...message, parent: previous?.id ?? (message.seq > 1 ? "" : null) };
  });
}

/** A known message as it is now. */
export function replace(transcript, message) {
  const at = transcript.messages.findLastIndex((known) => known.id === message.id);
  if (at >= 0) return { ...transcript, messages: transcript.messages.with(at, message) };
  return { ...transcript, aside: new Map(transcript.aside).set(message.id, message) };
}

/** Takes a message in; one that is known already stays as it is, for it may have grown. */
export function keep(transcript, message) {
  let kept = transcript;
  if (!find(transcript, message.id)) {
    const known = put(message, transcript.turned.get(message.id));
    const told = transcript.retracted.has(message.id) ? voided(known) : known;
    kept = { ...transcript, aside: new Map(transcript.aside).set(message.id, told) };
  }
  kept = related(kept, message);
  return kept.missing === "torn" ? walk(kept) : kept;
}

/** The branch that ends with `head` is the one to show, unless something newer has said otherwise. */
export function move(transcript, head, version = transcript.version) {
  if (version < transcript.version) return transcript;
  const moved = { ...transcript, head, version };
  const message = transcript.aside.get(head);
  // As nearly always: it goes on where we are.
  if (message && message.parent === (transcript.messages.at(-1)?.id ?? null) && !transcript.missing) {
    const aside = new Map(transcript.aside);
    aside.delete(head);
    return { ...moved, aside, messages: [...transcript.messages, message] };
  }
  return walk(moved);
}

/** Somebody has chosen a branch; `messages` are those that may not be known here, undefined if there are too many. */
export function branch(transcript, head, version, messages) {
  if (version < transcript.version) return (messages ?? []).reduce(keep, transcript);
  if (!messages) return { ...transcript, head, version, missing: "long" };
  return move(messages.reduce(keep, transcript), head, version);
}

/** From the head along the parents, as far as they are known. */
function walk(transcript) {
  const all = new Map(transcript.aside);
  for (const message of transcript.messages) all.set(message.id, message);
  const path = [];
  for (let at = all.get(transcript.head); at; at = all.get(at.parent)) path.push(at);
  path.reverse();
  if (transcript.head !== null && !path.length) return { ...transcript, missing: "torn" };
  const [first] = path;
  // It may well begin where the oldest page does; anywhere else, something between has not come.
  const torn = first && first.parent !== null && first.id !== transcript.oldest;
  const before = torn ? transcript.messages.filter((message) => message.seq < first.seq) : [];
  const messages = [...before, ...path];
  for (const { id } of messages) all.delete(id);
  return { ...transcript, messages, aside: all, missing: torn ? "torn" : null };
}

/** Versions of one message know of each other: of two lists, the longer one is the newer one. */
function related(transcript, message) {
  const lists = [message.siblings ?? []];
  for (const other of [...transcript.messages, ...transcript.aside.values()]) {
    if (other.siblings?.includes(message.id)) lists.push(other.siblings);
  }
  const siblings = lists.reduce((longest, list) => (list.length > longest.length ? list : longest));
  return siblings.reduce((related, id) => {
    const known = find(related, id);
    return known && (known.siblings?.length ?? 0) < siblings.length ? replace(related, { ...known, siblings }) : related;
  }, transcript);
}
