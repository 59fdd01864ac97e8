/** Who takes part in a conversation: all see it; who began it asks others in, and takes them out. */

import { useState } from "preact/hooks";

import { ChatError } from "../client/index.js";
import { useCopy } from "./copying.js";
import { Dialog } from "./dialogs.js";
import { Icon } from "./icons.js";
import { isOwn, titleOf } from "./list.js";
import { html } from "./view.js";

/** @param {{salon: object, conversation: object, onClose: () => void}} props `conversation` as it is now */
export function PeopleDialog({ salon, conversation, onClose }) {
  const me = salon.client.user;
  const own = isOwn(conversation, me);
  const [problem, setProblem] = useState(null);
  const seat = async (members) => {
    setProblem(null);
    try {
      await salon.seat(conversation.id, members);
      return true;
    } catch (error) {
      if (!(error instanceof ChatError)) throw error;
      setProblem(error.message);
      return false;
    }
  };
  const others = conversation.members.filter((user) => user !== me);
  return html`
    <${Dialog} label="Who takes part" kind="people" onClose=${onClose}>
      <h2>Who takes part</h2>
      <p class="hint">Whoever takes part in “${titleOf(conversation)}” reads all of it, and may write.</p>
      <ul>
        <${Person} name="You" about=${own && "began it"} />
        ${!own && html`<${Person} name=${conversation.owner} about="began it" />`}
        ${others.map(
          (user) => html`<${Person} key=${user} name=${user} onOut=${own && (() => seat(conversation.members.filter((other) => other !== user)))} />`,
        )}
      </ul>
      ${own && html`<${AskIn} taken=${[me, ...conversation.members]} onAsk=${(user) => seat([...conversation.members, user])} />`}
      ${problem && html`<p class="field-problem" role="alert">${problem}</p>`}
      <p class="hint">Who wants to ask you in needs your id:</p>
      <${OwnId} salon=${salon} />
      <div class="dialog-actions"><button class="button primary" onClick=${onClose}>Close</button></div>
    <//>
  `;
}

function Person({ name, about, onOut }) {
  return html`
    <li>
      <span class="person">${name}</span>
      ${about && html`<span class="hint">${about}</span>`}
      ${onOut && html`<button class="icon-button" aria-label=${`Take ${name} out`} title="Take out" onClick=${onOut}><${Icon} name="close" /></button>`}
    </li>
  `;
}

function AskIn({ taken, onAsk }) {
  const [text, setText] = useState("");
  const user = text.trim();
  const known = taken.includes(user);
  const ask = async (event) => {
    event.preventDefault();
    if (user && !known && (await onAsk(user))) setText("");
  };
  return html`
    <form class="fields" onSubmit=${ask}>
      <label for="ask-in">Ask somebody in <span class="hint">by their id</span></label>
      <div class="ask-in">
        <input id="ask-in" autocomplete="off" spellcheck=${false} maxlength="128" placeholder="usr_…" value=${text} onInput=${(event) => setText(event.target.value)} />
        <button class="button" disabled=${!user || known}>${known ? "Takes part" : "Ask in"}</button>
      </div>
    </form>
  `;
}

function OwnId({ salon }) {
  const id = salon.client.user;
  const [copied, copy] = useCopy(id, salon);
  return html`<p class="own-id"><code>${id}</code><button class="button" onClick=${copy}>${copied ? "Copied" : "Copy"}</button></p>`;
}
