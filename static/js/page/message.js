/** One message: what a person wrote, or a reply, still growing or finished. */

import { useState } from "preact/hooks";

import { hasEnded, inFlight } from "../client/index.js";
import { explain, summary } from "./activity.js";
import { useCopy } from "./copying.js";
import { Editor } from "./editor.js";
import { Icon, Portrait, Table } from "./icons.js";
import { Calls, Origin, Sources } from "./origin-view.js";
import { Prose } from "./prose.js";
import { exactly } from "./times.js";
import { Versions } from "./versions.js";
import { html, useWatched } from "./view.js";

export function Message({ salon, conversation, id, character, last, editing, onEdit, onDialog }) {
  const message = useWatched(conversation, ({ shown }) => shown.find((known) => known.id === id), id);
  if (!message) return null;
  if (message.role === "user") {
    return html`<${Said} salon=${salon} conversation=${conversation} message=${message} editing=${editing} onEdit=${onEdit} onDialog=${onDialog} />`;
  }
  return html`<${Reply} salon=${salon} conversation=${conversation} message=${message} character=${character} last=${last} />`;
}

function Said({ salon, conversation, message, editing, onEdit, onDialog }) {
  const done = async (text) => {
    if (text !== null && !(await salon.edit(conversation.id, message.id, text))) return false;
    onEdit(null);
    return true;
  };
  const takeBack = () => onDialog({ name: "take back", conversation: conversation.id, message: message.id });
  const own = message.user === salon.client.user;
  const mine = own && !message.retracted;
  const stands = !message.retracted;
  const kind = `message said${editing ? " editing" : ""}${own ? "" : " theirs"}`;
  return html`
    <li class=${kind} data-message=${message.id} data-status=${message.status}>
      ${editing
        ? html`<${Editor} message=${message} onDone=${done} />`
        : html`<article class="bubble" aria-label=${own ? "You said" : "Somebody else said"} title=${exactly(message.created_at)}>
            ${stands ? html`<${Away} message=${message}><${Prose} text=${message.text} /><//>` : html`<p class="retracted">Taken back</p>`}
          </article>`}
      ${!editing &&
      html`<footer class="tools">
        <${Versions} salon=${salon} conversation=${conversation} message=${message} />
        ${mine && !message.archived && html`<button class="tool" onClick=${() => onEdit(message.id)}><${Icon} name="pencil" />Edit</button>`}
        ${stands && html`<${PutAway} salon=${salon} conversation=${conversation} message=${message} />`}
        ${mine && html`<button class="tool" onClick=${takeBack}><${Icon} name="trash" />Take back</button>`}
      </footer>`}
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
          ${entry.error.code !== "text_too_long" &&
          html`<button class="button small" onClick=${() => salon.resend(conversation.id, entry.key)}><${Icon} name="retry" />Send again</button>`}
          <button class="button small quiet" onClick=${() => salon.giveBack(conversation.id, entry)}>Edit</button>
          <button class="button small quiet" onClick=${() => salon.discard(conversation.id, entry.key)}>Discard</button>
        </div>
      `}
    </li>
  `;
}

function Reply({ salon, conversation, message, character, last }) {
  const ended = hasEnded(message);
  const name = character?.name ?? "Tertulia";
  const again = message.reply_to && ended && !message.retracted && !message.archived ? () => salon.regenerate(conversation.id, message.id) : null;
  const waits = useWatched(conversation, ({ transcript }) => message.status === "queued" && inFlight(transcript)?.id !== message.id);
  const waiting = !message.reasoning && html`<${Waiting} behind=${waits} />`;
  return html`
    <li class=${ended ? "message reply" : "message reply live"} data-message=${message.id} data-status=${message.status} aria-busy=${!ended}>
      <${Portrait} character=${character} />
      <article aria-label=${`${name} said`}>
        <${Away} message=${message}>
          ${message.reasoning && html`<${Reasoning} text=${message.reasoning} thinking=${!message.text && !ended} />`}
          ${message.text ? html`<${Prose} text=${message.text} live=${!ended} waiting=${waiting} />` : !ended && waiting}
          <${Calls} message=${message} />
          <${Sources} citations=${message.citations} />
        <//>
        ${message.status === "failed" && html`<${Failure} message=${message} onAgain=${again} />`}
        ${message.retracted && html`<p class="retracted">Taken back</p>`}
        ${message.status === "cancelled" && !message.text && !message.retracted && html`<p class="stopped">Stopped before a word was said.</p>`}
        <${Origin} message=${message} />
        ${ended
          ? html`<${Tools} salon=${salon} conversation=${conversation} message=${message} last=${last} onAgain=${again} />`
          : // Its place is kept, so that nothing moves when the reply ends.
            html`<footer class="tools" aria-hidden="true"></footer>`}
      </article>
    </li>
  `;
}

/** What was put away is folded: it is there for people, and for nobody else. */
function Away({ message, children }) {
  if (!message.archived) return children;
  return html`<details class="away"><summary>Put away</summary>${children}</details>`;
}

function PutAway({ salon, conversation, message }) {
  const { archived = false } = message;
  const title = archived ? "Models read it again, and search finds it" : "Keep it where no model reads it, and no search finds it";
  const put = () => salon.putAway(conversation.id, message.id, !archived);
  return html`<button class="tool" title=${title} onClick=${put}><${Icon} name="archive" />${archived ? "Take out" : "Put away"}</button>`;
}

function Waiting({ behind }) {
  if (behind) return html`<p class="behind">Waits for the reply above</p>`;
  return html`<p class="waiting" aria-hidden="true"><i></i><i></i><i></i></p>`;
}

/** Open while it thinks and folded afterwards, unless somebody has said otherwise. */
function Reasoning({ text, thinking }) {
  const [chosen, choose] = useState(null);
  const open = chosen ?? thinking;
  const toggle = (event) => {
    event.preventDefault();
    choose(!open);
  };
  return html`
    <details class="reasoning" open=${open}>
      <summary onClick=${toggle}>${thinking ? "Thinking" : "What it thought"}</summary>
      <p dir="auto">${text}</p>
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

function Tools({ salon, conversation, message, last, onAgain }) {
  const [copied, copy] = useCopy(message.text, salon);
  const about = summary(message);
  return html`
    <footer class=${last ? "tools last" : "tools"}>
      <${Versions} salon=${salon} conversation=${conversation} message=${message} />
      ${message.text && html`<button class="tool" onClick=${copy}><${Icon} name=${copied ? "check" : "copy"} />${copied ? "Copied" : "Copy"}</button>`}
      ${onAgain && html`<button class="tool" onClick=${onAgain}><${Icon} name="retry" />Again</button>`}
      ${!message.retracted && html`<${PutAway} salon=${salon} conversation=${conversation} message=${message} />`}
      ${about && html`<span class="tools-about" title=${exactly(message.created_at)}>${about}</span>`}
    </footer>
  `;
}
