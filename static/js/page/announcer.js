/**
 * For those who listen: that a reply has begun, and once it has ended the whole of it, never token by token; what
 * somebody else has said; who has come, gone, or begun to type; and whether there is a connection.
 */

import { useRef } from "preact/hooks";

import { hasEnded } from "../client/index.js";
import { explain, others, typists } from "./activity.js";
import { plain } from "./plain.js";
import { html, useWatched } from "./view.js";

const MOST = 2_000;

/** `begun`: the conversation began on this page, so nothing stood there before. */
export function Announcer({ conversation, name, begun }) {
  const reply = useWatched(conversation, ({ settled, transcript }) => {
    if (!settled) return null;
    const last = transcript.messages.findLast((message) => message.role === "assistant");
    return last ? `${last.id} ${last.status}` : "";
  });
  const before = useRef(begun ? "" : null);
  const said = useRef("");
  if (reply !== null && reply !== before.current) {
    // What stood here when the page was opened is read by whoever wants to, not announced.
    if (before.current !== null) said.current = words(conversation, name);
    before.current = reply;
  }
  return html`<${Aloud} text=${said.current} />`;
}

/** The company that one has: apart from the replies, so that neither takes the other's words away. */
export function CompanyAnnouncer({ salon, conversation }) {
  const here = useWatched(conversation, ({ company }) => others(company, salon.client.user));
  const typing = useWatched(conversation, ({ company }) => typists(company.typing.length));
  const latest = useWatched(conversation, (known) => lastOfOthers(known, salon.client.user));
  const before = useRef({ here, typing, latest });
  const said = useRef("");
  const was = before.current;
  // What was said before the page was opened is no news.
  if (was.latest !== null && latest !== null && latest > was.latest) said.current = `Somebody else said: ${textAt(conversation, latest)}`;
  else if (typing && !was.typing) said.current = `${typing}.`;
  else if (here !== was.here) said.current = here ? `${here}.` : "Nobody else is here.";
  before.current = { here, typing, latest };
  return html`<${Aloud} text=${said.current} />`;
}

/** That the connection is away, and that it is back: not each second until the next attempt. */
export function ConnectionAnnouncer({ status, troubled }) {
  const said = useRef("");
  if (troubled) said.current = status.phase === "offline" ? "Offline." : "The connection is lost. It is being mended.";
  else if (said.current && status.phase === "open") said.current = "Connected again.";
  return html`<${Aloud} text=${said.current} />`;
}

function Aloud({ text }) {
  return html`<div class="hidden" role="status" aria-live="polite" aria-atomic="true">${text}</div>`;
}

/** The place of the last message that somebody else has said; null until that is known. */
function lastOfOthers({ settled, transcript }, me) {
  if (!settled) return null;
  return transcript.messages.findLast(({ role, user }) => role === "user" && user !== me)?.seq ?? 0;
}

const textAt = ({ transcript }, place) => short(transcript.messages.find(({ seq }) => seq === place)?.text ?? "");

const short = (text) => (text.length > MOST ? `${text.slice(0, MOST)}…` : text);

function words({ transcript }, name) {
  const reply = transcript.messages.findLast((message) => message.role === "assistant");
  if (!reply) return "";
  if (!hasEnded(reply)) return `${name} is writing.`;
  if (reply.status === "failed") return explain(reply.error);
  return `${name} ${reply.status === "cancelled" ? "was stopped" : "said"}: ${short(plain(reply.text))}`;
}
