/** The page's dialogs: native ones, so that focus and Escape behave. */

import { useLayoutEffect, useRef, useState } from "preact/hooks";

import { ChatError } from "../client/index.js";
import { titleOf } from "./list.js";
import { MOD } from "./sidebar.js";
import { html } from "./view.js";

export function Dialog({ label, kind, onClose, children }) {
  const element = useRef(null);
  useLayoutEffect(() => {
    const before = document.activeElement;
    element.current.showModal();
    return () => before?.isConnected && before.focus();
  }, []);
  const outside = (event) => event.target === element.current && onClose();
  return html`<dialog ref=${element} class=${kind} aria-label=${label} onClose=${onClose} onClick=${outside}><div class="dialog-body">${children}</div></dialog>`;
}

const SHORTCUTS = [
  [["Enter"], "Send"],
  [["Shift", "Enter"], "New line"],
  [["Esc"], "Stop the reply"],
  [["↑"], "Edit your last message, in an empty message box"],
  [[MOD, "K"], "Search"],
  [["Alt", "N"], "New conversation"],
  [["Alt", "↑"], "Conversation above"],
  [["Alt", "↓"], "Conversation below"],
  [["/"], "To the message box"],
  [["F2"], "Rename, on a conversation in the list"],
  [["P"], "Pin or unpin, on a conversation in the list"],
  [["E"], "Archive or put back, on a conversation in the list"],
  [["Del"], "Delete, or leave, on a conversation in the list"],
  [["?"], "These shortcuts"],
];

export function ShortcutsDialog({ onClose }) {
  return html`
    <${Dialog} label="Keyboard shortcuts" onClose=${onClose}>
      <h2>Keyboard</h2>
      <dl class="shortcuts">
        ${SHORTCUTS.map(([keys, what]) => html`<div><dt>${keys.map((key) => html`<kbd>${key}</kbd>`)}</dt><dd>${what}</dd></div>`)}
      </dl>
      <div class="dialog-actions"><button class="button primary" onClick=${onClose}>Close</button></div>
    <//>
  `;
}

export function DeleteDialog({ salon, conversation, onClose }) {
  const remove = () => {
    salon.remove(conversation.id);
    onClose();
  };
  return html`
    <${Dialog} label="Delete the conversation" onClose=${onClose}>
      <h2>Delete this conversation?</h2>
      <p>“${titleOf(conversation)}” goes away for everybody in it, and does not come back.</p>
      <div class="dialog-actions">
        <button class="button" onClick=${onClose}>Keep it</button>
        <button class="button danger" onClick=${remove}>Delete</button>
      </div>
    <//>
  `;
}

export function LeaveDialog({ salon, conversation, onClose }) {
  const leave = () => {
    salon.leave(conversation.id);
    onClose();
  };
  return html`
    <${Dialog} label="Leave the conversation" onClose=${onClose}>
      <h2>Leave this conversation?</h2>
      <p>You take part in “${titleOf(conversation)}” no longer, on any device, until you are asked again. What you said in it stays.</p>
      <div class="dialog-actions">
        <button class="button" onClick=${onClose}>Stay</button>
        <button class="button danger" onClick=${leave}>Leave</button>
      </div>
    <//>
  `;
}

export function TakeBackDialog({ salon, conversation, message, onClose }) {
  const retract = () => {
    salon.retract(conversation, message);
    onClose();
  };
  return html`
    <${Dialog} label="Take the message back" onClose=${onClose}>
      <h2>Take this message back?</h2>
      <p>Its words go away for everybody, the model too, and do not come back.</p>
      <div class="dialog-actions">
        <button class="button" onClick=${onClose}>Keep it</button>
        <button class="button danger" onClick=${retract}>Take back</button>
      </div>
    <//>
  `;
}

export function CharacterDialog({ salon, onClose }) {
  const [fields, setFields] = useState({ name: "", system_prompt: "", greeting: "" });
  const [problem, setProblem] = useState(null);
  const input = (event) => setFields({ ...fields, [event.target.name]: event.target.value });
  const create = async (event) => {
    event.preventDefault();
    const { name, system_prompt, greeting } = fields;
    try {
      await salon.createCharacter({ name: name.trim(), system_prompt: system_prompt.trim(), ...(greeting.trim() ? { greeting: greeting.trim() } : {}) });
      onClose();
    } catch (error) {
      if (!(error instanceof ChatError)) throw error;
      setProblem(error.message);
    }
  };
  return html`
    <${Dialog} label="New character" onClose=${onClose}>
      <form class="fields" onSubmit=${create}>
        <h2>Someone new at the table</h2>
        <label for="character-name">Name</label>
        <input id="character-name" name="name" required maxlength="80" placeholder="Doña Emilia" value=${fields.name} onInput=${input} />
        <label for="character-prompt">Who they are</label>
        <textarea
          id="character-prompt"
          name="system_prompt"
          rows="5"
          required
          placeholder="You are a novelist of 1890 who holds a salon in Madrid. You are curious, quick and kind, and you answer in a few sentences."
          value=${fields.system_prompt}
          onInput=${input}
        ></textarea>
        <label for="character-greeting">How they greet <span class="hint">if they speak first</span></label>
        <input id="character-greeting" name="greeting" placeholder="Come in, come in. What is the news?" value=${fields.greeting} onInput=${input} />
        ${problem && html`<p class="field-problem" role="alert">${problem}</p>`}
        <div class="dialog-actions">
          <button type="button" class="button" onClick=${onClose}>Not now</button>
          <button class="button primary" disabled=${!fields.name.trim() || !fields.system_prompt.trim()}>Invite</button>
        </div>
      </form>
    <//>
  `;
}
