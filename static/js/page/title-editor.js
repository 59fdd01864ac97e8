/** A title, being changed: Enter keeps it, Escape leaves it as it was, and so does an empty one. */

import { useLayoutEffect, useRef } from "preact/hooks";

import { html, isComposing } from "./view.js";

/** @param {{title: string, onDone: (title: string | null) => void}} props */
export function TitleEditor({ title, onDone }) {
  const field = useRef(null);
  const done = useRef(false);
  useLayoutEffect(() => field.current.select(), []);
  const finish = (keep) => {
    if (done.current) return; // leaving the field after Enter is one end, not two
    done.current = true;
    const given = field.current.value.trim();
    onDone(keep && given && given !== title ? given : null);
  };
  const key = (event) => {
    if (isComposing(event) || (event.key !== "Enter" && event.key !== "Escape")) return;
    event.preventDefault();
    event.stopPropagation();
    finish(event.key === "Enter");
  };
  return html`<input
    class="title-editor"
    ref=${field}
    aria-label="Title of the conversation"
    maxlength="200"
    dir="auto"
    defaultValue=${title}
    onKeyDown=${key}
    onBlur=${() => finish(true)}
  />`;
}
