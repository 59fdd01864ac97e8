/** For those who listen: that a reply has begun, and once it has ended the whole of it. Never token by token. */

import { useRef } from "preact/hooks";

import { hasEnded } from "../client/index.js";
import { explain } from "./activity.js";
import { html, useWatched } from "./view.js";

const MOST = 2_000;

export function Announcer({ conversation, name }) {
  const reply = useWatched(conversation, ({ transcript }) => {
    const last = transcript.messages.findLast((message) => message.role === "assistant");
    return last ? `${last.id} ${last.status}` : "";
  });
  const before = useRef(null);
  const said = useRef("");
  if (reply !== before.current) {
    // What stood here when the page was opened is read by whoever wants to, not announced.
    if (before.current) said.current = words(conversation, name);
    before.current = reply;
  }
  return html`<div class="hidden" role="status" aria-live="polite" aria-atomic="true">${said.current}</div>`;
}

function words({ transcript }, name) {
  const reply = transcript.messages.findLast((message) => message.role === "assistant");
  if (!reply) return "";
  if (!hasEnded(reply)) return `${name} is writing.`;
  if (reply.status === "failed") return explain(reply.error);
  const text = reply.text.replace(/[*_`#>]+/g, "");
  return `${name} ${reply.status === "cancelled" ? "was stopped" : "said"}: ${text.length > MOST ? `${text.slice(0, MOST)}…` : text}`;
}
