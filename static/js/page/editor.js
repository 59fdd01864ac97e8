/** One's own message, being said differently, in its place. Enter sends it, Escape leaves it as it was. */

import { useLayoutEffect, useRef, useState } from "preact/hooks";

import { html, isComposing } from "./view.js";

/** @param {{message: object, onDone: (text: string | null) => Promise<boolean> | void}} props null: it stays as it was */
export function Editor({ message, onDone }) {
  const field = useRef(null);
  const [text, setText] = useState(message.text);
  const [busy, setBusy] = useState(false);
  useLayoutEffect(() => {
    const { current } = field;
    current.focus();
    current.setSelectionRange(current.value.length, current.value.length);
  }, []);
  useLayoutEffect(() => {
    const { current } = field;
    current.style.height = "auto";
    current.style.height = `${current.scrollHeight}px`;
  }, [text]);

  const leave = () => onDone(null);
  const send = async () => {
    if (!text.trim() || busy) return;
    if (text === message.text) return leave();
    setBusy(true);
    // It could not be sent: the words stay here.
    if (!(await onDone(text))) setBusy(false);
  };
  const key = (event) => {
    if (isComposing(event)) return;
    if (event.key === "Escape") {
      event.preventDefault();
      leave();
    } else if (event.key === "Enter" && !event.shiftKey) {
      event.preventDefault();
      send();
    }
  };
  return html`
    <div class="editor">
      <textarea ref=${field} rows="1" dir="auto" aria-label="Your message, differently" value=${text} onInput=${({ target }) => setText(target.value)} onKeyDown=${key}></textarea>
      <div class="editor-row">
        <span class="editor-hint only-desktop">Esc to leave it</span>
        <button class="button small quiet" onClick=${leave}>Leave it</button>
        <button class="button small primary" disabled=${!text.trim() || busy} onClick=${send}>Send</button>
      </div>
    </div>
  `;
}
