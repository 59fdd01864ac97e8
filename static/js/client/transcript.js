/**
 * A conversation as its clients see it, as a value: snapshot + events = state. Nothing here waits, and nothing is
 * changed in place, so a view may compare by identity to learn what has changed.
 *
 * Messages are a tree by `parent`; `messages` is the branch that is chosen, from the oldest one known to `head`.
 * Everything else that was told is kept aside (branches.js).
 *
 * A message is the server's object, and for replies also `length` (code points of `text`, tracked), `reasoning`,
 * `missed` and `late` (whether some of that went by before we came), `stage`, `position`, `provider`, `model`, `attempt`,
 * `notices`, `tool_calls`, `citations`, and at the end `usage`, `timing`, `cost`, `provenance`, `error`.
 */

import { branch, find, keep, linked, move, put, replace, voided } from "./branches.js";
import { codePoints, firstCodePoints, writeAt } from "./text.js";

/**
 * @typedef {object} Transcript
 * @property {string | null} epoch which life of the log `offset` counts in; null before the first snapshot
 * @property {number} offset the last event applied
 * @property {readonly object[]} messages the chosen branch, in the order of `seq`
 * @property {string | null} oldest where the oldest page begins: from there on nothing is missing; null when it is empty
 * @property {ReadonlyMap<string, object>} aside messages of other branches, by id
 * @property {string | null} head the last message of the chosen branch
 * @property {number} version how new the choice is: what has a greater one was decided later
 * @property {ReadonlySet<string>} retracted what was taken back, known or not
 * @property {ReadonlyMap<string, {archived: boolean, turns: number}>} turned what was put away or taken out, likewise
 * @property {null | "torn" | "long"} missing why a snapshot is needed: a message between two that are shown did not
 *   come (yet), or the branch was too long to be told
 * @property {boolean} deleted the conversation is gone
 * @property {object | null} about title, settings and character, when an event has said them
 */

/** @type {Transcript} */
export const blank = Object.freeze({
  epoch: null,
  offset: 0,
  messages: Object.freeze([]),
  oldest: null,
  aside: new Map(),
  head: null,
  version: 0,
  retracted: new Set(),
  turned: new Map(),
  missing: null,
  deleted: false,
  about: null,
});

const ENDS = new Set(["completed", "failed", "cancelled"]);

/** Whether a message will not change any more by itself. */
export const hasEnded = (message) => ENDS.has(message.status);

/** Whether messages older than the first one shown exist. */
export const hasOlder = (transcript) => (transcript.messages[0]?.parent ?? null) !== null;

/** Whether some of a reply's thinking may never have been told to us: it was begun before we came, and has ended now. */
export const lacksThoughts = (reply) => Boolean(reply.missed || (reply.late && !reply.reasoning));

/** The reply, with its thinking as the store has it. */
export function withThoughts(transcript, { id, reasoning }) {
  const known = find(transcript, id);
  return known ? replace(transcript, { ...known, reasoning, missed: false, late: false }) : transcript;
}

/** The reply that is made now, or is to be made next; undefined when everything has ended. Others wait for it. */
export const inFlight = (transcript) => transcript.messages.find((message) => !hasEnded(message));

/** A stored message names a failure by its code alone, an event with a sentence. */
export function received({ error, text = "", ...message }) {
  return { ...message, text, length: codePoints(text), error: typeof error === "string" ? { code: error } : (error ?? null) };
}

/**
 * The answer to `subscribe`. With a snapshot it replaces what was known (older pages stay where they touch it); without
 * one the log goes on from our own offset, and the events that were missed follow.
 *
 * @param {Transcript} transcript @param {object} subscribed @returns {Transcript}
 */
export function install(transcript, subscribed) {
  const { snapshot, epoch, offset } = subscribed;
  if (!snapshot) return transcript;
  const fresh = linked(snapshot.messages.map(received)).map((message) => (message.status === "running" ? { ...message, late: true } : message));
  const older = transcript.messages.filter((message) => message.seq < (fresh[0]?.seq ?? 0));
  const touches = older.length > 0 && older.at(-1).id === fresh[0].parent;
  return {
    ...transcript,
    epoch,
    offset,
    messages: touches ? [...older, ...fresh] : fresh,
    oldest: (touches ? transcript.oldest : fresh[0]?.id) ?? null,
    aside: new Map((snapshot.aside ?? []).map((message) => [message.id, received(message)])),
    head: snapshot.head ?? fresh.at(-1)?.id ?? null,
    version: snapshot.version ?? 0,
    retracted: new Set(),
    turned: new Map(),
    missing: null,
    deleted: false,
  };
}

/**
 * Puts a page of older messages before the ones shown, if it ends where they begin: meanwhile another branch may have
 * been chosen.
 *
 * @param {Transcript} transcript @param {object[]} page
 */
export function prepend(transcript, page) {
  const [first] = transcript.messages;
  const older = linked(page.filter((message) => message.seq < (first?.seq ?? Infinity)).map(received));
  if (!older.length) return transcript;
  const parent = first?.parent === "" ? older.at(-1).id : first?.parent;
  if (first && older.at(-1).id !== parent) return { ...transcript, missing: "torn" };
  return { ...transcript, oldest: older[0].id, messages: [...older, ...transcript.messages] };
}

/**
 * Applies one event.
 *
 * @param {Transcript} transcript
 * @param {object} event
 * @returns {{transcript: Transcript, verdict: "applied" | "stale" | "gap"}} `stale`: known already. `gap`: something
 *   before it is missing, nothing was changed; subscribing again mends it.
 */
export function apply(transcript, event) {
  const from = event.from ?? event.offset;
  if (event.offset <= transcript.offset) return { transcript, verdict: "stale" };
  if (from > transcript.offset + 1) return { transcript, verdict: "gap" };
  const changed = change(transcript, event);
  if (changed === null) return { transcript, verdict: "gap" };
  return { transcript: { ...changed, offset: event.offset }, verdict: "applied" };
}

function change(transcript, event) {
  const handler = CHANGES[event.type];
  if (handler) return handler(transcript, event);
  const next = REPLY_CHANGES[event.type];
  return next ? changeReply(transcript, event, next) : transcript;
}

/** @type {Record<string, (transcript: Transcript, event: object) => Transcript | null>} */
const CHANGES = {
  "message.created": (transcript, { message, version }) => {
    const [created] = linked([received(message)], transcript.messages.at(-1));
    return move(keep(transcript, created), created.id, version);
  },
  "reply.queued": (transcript, event) => {
    const known = find(transcript, event.reply);
    // Told again, with the place that it has now.
    if (known) return known.status === "queued" ? replace(transcript, { ...known, position: event.position }) : transcript;
    return move(keep(transcript, queued(event)), event.reply, event.version);
  },
  "message.retracted": (transcript, { message }) => {
    const known = find(transcript, message);
    const retracted = new Set(transcript.retracted).add(message);
    return { ...(known ? replace(transcript, voided(known)) : transcript), retracted };
  },
  "message.archived": (transcript, { message, archived, turns }) => {
    if (turns <= (transcript.turned.get(message)?.turns ?? 0)) return transcript;
    const known = find(transcript, message);
    const turned = new Map(transcript.turned).set(message, { archived, turns });
    return { ...(known ? replace(transcript, put(known, { archived, turns })) : transcript), turned };
  },
  "branch.chosen": (transcript, { head, version, messages }) => branch(transcript, head, version, messages?.map(received)),
  "conversation.updated": (transcript, { title, settings, character }) => ({
    ...transcript,
    about: { title, settings, character },
  }),
  "conversation.deleted": (transcript) => ({ ...transcript, deleted: true }),
};

/** Each gives the changed reply, or null when it does not fit what is known. */
const REPLY_CHANGES = {
  "reply.progress": (reply, { stage, detail }) => ({ ...reply, stage, detail: detail ?? null }),
  "reply.started": (reply, { provider, model, attempt, notices }) => ({
    ...reply,
    status: "running",
    provider,
    model,
    attempt,
    notices: notices ?? reply.notices,
    stage: reply.stage ?? "started",
  }),
  "reply.tool_call": (reply, { call }) => ({
    ...reply,
    tool_calls: [...(reply.tool_calls ?? []).filter(({ id }) => id !== call.id), call],
  }),
  "reply.citation": (reply, { citation }) => ({ ...reply, citations: [...(reply.citations ?? []), citation] }),
  "reply.delta": (reply, { at, text }) => {
    const written = writeAt(reply.text, reply.length, at, text);
    return written && { ...reply, ...written, status: "running", stage: "writing" };
  },
  "reply.reasoning": (reply, { at, text }) => {
    const known = reply.reasoning ?? "";
    const written = writeAt(known, codePoints(known), at, text);
    // A snapshot leaves the thinking out: what came before is not shown until the end, when the store has all of it.
    const missed = reply.missed || !written;
    return { ...reply, reasoning: written?.text ?? known + text, missed, status: "running", stage: "thinking" };
  },
  "reply.restarted": (reply, { attempt, keep }) => {
    const kept = cut(reply, keep);
    return kept && { ...kept, attempt, status: "running", stage: "restarted" };
  },
  "reply.completed": (reply, { length, ...end }) => (reply.length === length ? ended(reply, "completed", end) : null),
  "reply.failed": (reply, { length, code, detail, ...end }) => {
    const kept = cut(reply, length);
    return kept && ended(kept, "failed", { ...end, error: { code, detail } });
  },
  "reply.cancelled": (reply, { length, ...end }) => {
    const kept = cut(reply, length);
    return kept && ended(kept, "cancelled", end);
  },
};

const queued = ({ conversation, reply, message, seq, position, created_at, siblings }) => ({
  id: reply,
  conversation,
  seq,
  role: "assistant",
  user: null,
  text: "",
  length: 0,
  status: "queued",
  created_at,
  reply_to: message,
  parent: message,
  siblings: siblings ?? [],
  position,
});

function ended(reply, status, { sha256, usage = null, cost = null, timing = null, provenance, error }) {
  const account = { sha256, usage, cost, timing, provenance: provenance ?? reply.provenance ?? [] };
  return { ...reply, ...account, status, stage: null, detail: null, error: error ?? null };
}

function cut(reply, length) {
  if (length > reply.length) return null;
  return length === reply.length ? reply : { ...reply, text: firstCodePoints(reply.text, length), length };
}

function changeReply(transcript, event, next) {
  const reply = find(transcript, event.reply);
  // A reply older than what is known: its news concerns nobody here.
  if (!reply) return transcript;
  const changed = next(reply, event);
  return changed && replace(transcript, changed);
}
