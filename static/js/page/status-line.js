/** One line above the composer that says what is going on. It keeps its height, so that nothing jumps. */

import { useEffect, useRef, useState } from "preact/hooks";

import { inFlight } from "../client/index.js";
import { activity, rate } from "./activity.js";
import { ConnectionAnnouncer } from "./announcer.js";
import { Table } from "./icons.js";
import { html, useClock, useWatched } from "./view.js";

const GRACE = 700; // a connection that is back within this time was hardly away
const BLINK = 250; // the rate is written anew this often
const SILENCE = 2_000; // after so long without a word, a rate would be of another time

/** @param {{salon: object, status: object, conversation: object | null, sending: boolean}} props `sending`: the first words of a new one */
export function StatusLine({ salon, status, conversation, sending }) {
  const troubled = useTroubled(status.phase);
  const counting = troubled && status.phase === "waiting";
  const now = useClock(BLINK, counting);
  const { kind, text } = activity({ status, troubled, sending, now: Math.max(now, performance.now()) });
  const line =
    kind === "trouble" || !conversation
      ? html`<${Line} kind=${kind} text=${text} />`
      : html`<${Doing} salon=${salon} status=${status} conversation=${conversation} />`;
  return html`${line}<${ConnectionAnnouncer} status=${status} troubled=${kind === "trouble"} />`;
}

function Doing({ salon, status, conversation }) {
  const reply = useWatched(conversation, ({ transcript }) => inFlight(transcript));
  const sending = useWatched(conversation, ({ outgoing }) => outgoing.some((entry) => entry.status === "sending"));
  const typing = useWatched(conversation, ({ company }) => company.typing.length);
  const pace = usePace(reply);
  const silent = useSilence(reply);
  const known = { status, troubled: false, reply, sending, typing, rate: pace, silent, stopping: reply && salon.state.stopping === reply.id, now: 0 };
  const { kind, text } = activity(known);
  return html`<${Line} kind=${kind} text=${text} hint=${reply ? "Esc to stop" : null} />`;
}

function Line({ kind, text, hint }) {
  return html`
    <div class=${`status-line ${kind}`} data-testid="status">
      ${kind === "work" && html`<${Table} talking />`}
      <span class="status-text">${text}</span>
      ${hint && html`<span class="status-hint only-desktop">${hint}</span>`}
    </div>
  `;
}

/** True when the connection has been away for longer than a moment. */
function useTroubled(phase) {
  const away = phase !== "open" && phase !== "idle";
  const [troubled, setTroubled] = useState(false);
  useEffect(() => {
    if (!away) {
      setTroubled(false);
      return undefined;
    }
    const timer = setTimeout(() => setTroubled(true), GRACE);
    return () => clearTimeout(timer);
  }, [away]);
  return troubled && away;
}

/** True when a reply that was being written has not grown for a while. */
function useSilence(reply) {
  const length = reply?.text ? reply.length : null;
  const [silentAt, setSilentAt] = useState(null);
  useEffect(() => {
    if (length === null) return undefined;
    const timer = setTimeout(() => setSilentAt(length), SILENCE);
    return () => clearTimeout(timer);
  }, [reply?.id, length]);
  return length !== null && silentAt === length;
}

/** Tokens a second since we saw the reply begin to be written, steadied. */
function usePace(reply) {
  const begun = useRef({});
  const now = performance.now();
  if (reply?.id !== begun.current.id || begun.current.attempt !== reply?.attempt) begun.current = { id: reply?.id, attempt: reply?.attempt };
  if (!reply?.text) return null;
  const start = begun.current;
  if (start.at === undefined) Object.assign(start, { at: now, length: reply.length, shown: null, shownAt: now });
  if (now - start.shownAt >= BLINK) Object.assign(start, { shown: rate(reply.length - start.length, now - start.at), shownAt: now });
  return start.shown;
}
