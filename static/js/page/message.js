/** One message: what a person wrote, or a reply, still growing or finished. */

import { useMemo, useRef, useState } from "preact/hooks";

import { hasEnded } from "../client/index.js";
import { explain, summary } from "./activity.js";
import { Icon, Portrait, Table } from "./icons.js";
import { blocks } from "./markdown.js";
import { exactly } from "./times.js";
import { html, useWatched } from "./view.js";

export function Message({ salon, conversation, id, character, last, onSend }) {
  const message = useWatched(conversation, ({ transcript }) => transcript.messages.find((known) => known.id === id), id);
  if (!message) return null;
  if (message.role === "user") return html`<${Said} message=${message} />`;
  const again = () => {
    const question = conversation.transcript.messages.find((known) => known.id === message.reply_to);
    if (question) onSend(question.text);
  };
  return html`<${Reply} message=${message} character=${character} last=${last} onAgain=${message.reply_to ? again : null} />`;
}

function Said({ message }) {
  return html`
    <li class="message said" data-message=${message.id} data-status=${message.status}>
      <article class="bubble" title=${exactly(message.created_at)}><${Prose} text=${message.text} /></article>
    </li>
  `;
}

/** A message of one's own that the server has not shown back yet. */
export function Pending({ salon, conversation, entry }) {
  const failed = entry.status === "failed";
  return html`
    <li class=${failed ? "message said unsent" : "message said sending"} data-pending=${entry.key}>
      <article class="bubble"><${Prose} text=${entry.text} /></article>
      ${failed &&
      html`
        <div class="trouble" role="alert">
          <p>Not sent. ${entry.error.message}</p>
          <button class="button small" onClick=${() => salon.resend(conversation.id, entry.key)}><${Icon} name="retry" />Send again</button>
          <button class="button small quiet" onClick=${() => conversation.discard(entry.key)}>Discard</button>
        </div>
      `}
    </li>
  `;
}

function Reply({ message, character, last, onAgain }) {
  const ended = hasEnded(message);
  const name = character?.name ?? "Tertulia";
  return html`
    <li class=${ended ? "message reply" : "message reply live"} data-message=${message.id} data-status=${message.status} aria-busy=${!ended}>
      <${Portrait} character=${character} />
      <article aria-label=${`${name} said`}>
        ${message.reasoning && html`<${Reasoning} text=${message.reasoning} open=${!message.text && !ended} />`}
        ${message.text ? html`<${Prose} text=${message.text} live=${!ended} />` : !ended && !message.reasoning && html`<${Waiting} />`}
        ${message.status === "failed" && html`<${Failure} message=${message} onAgain=${onAgain} />`}
        ${message.status === "cancelled" && !message.text && html`<p class="stopped">Stopped before a word was said.</p>`}
        ${ended && html`<${Tools} message=${message} last=${last} />`}
      </article>
    </li>
  `;
}

/** Markdown, block by block. While it grows, finished blocks are not touched again. */
function Prose({ text, live = false }) {
  const known = useRef(new Map());
  const parts = useMemo(() => {
    // The finished text is made afresh: a link's target, given at the end, may change an earlier block.
    if (!live) known.current = new Map();
    return blocks(text, known.current);
  }, [text, live]);
  return html`
    <div class=${live ? "prose live" : "prose"}>
      ${parts.map((part, index) => html`<div class="block" key=${index} dangerouslySetInnerHTML=${{ __html: part }}></div>`)}
    </div>
  `;
}

function Waiting() {
  return html`<p class="waiting" aria-hidden="true"><i></i><i></i><i></i></p>`;
}

function Reasoning({ text, open }) {
  return html`
    <details class="reasoning" open=${open}>
      <summary>${open ? "Thinking" : "What it thought"}</summary>
      <p>${text}</p>
    </details>
  `;
}

function Failure({ message, onAgain }) {
  return html`
    <div class="trouble" role="alert">
      <p>${explain(message.error)}</p>
      ${onAgain && html`<button class="button small" onClick=${onAgain}><${Icon} name="retry" />Ask again</button>`}
    </div>
  `;
}

function Tools({ message, last }) {
  const [copied, setCopied] = useState(false);
  const copy = async () => {
    await navigator.clipboard.writeText(message.text);
    setCopied(true);
    setTimeout(() => setCopied(false), 1_600);
  };
  const about = summary(message);
  return html`
    <footer class=${last ? "tools last" : "tools"}>
      ${message.text && html`<button class="tool" onClick=${copy}><${Icon} name=${copied ? "check" : "copy"} />${copied ? "Copied" : "Copy"}</button>`}
      ${about && html`<span class="tools-about" title=${exactly(message.created_at)}>${about}</span>`}
    </footer>
  `;
}
