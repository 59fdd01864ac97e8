/** A text set from Markdown, part by part. While it grows, finished parts are not touched again. */

import { Component } from "preact";
import { useMemo, useRef } from "preact/hooks";

import { Typesetter } from "./markdown.js";
import { html } from "./view.js";

/** @param {{text: string, live?: boolean, waiting?: object}} props `waiting`: what stands there until something can be shown */
export function Prose({ text, live = false, waiting = null }) {
  const setter = useRef(null);
  setter.current ??= new Typesetter();
  const parts = useMemo(() => setter.current.set(text, live), [text, live]);
  if (!parts.length) return waiting;
  return html`<div class=${live ? "prose live" : "prose"}>${parts.map((part, at) => html`<${Block} key=${`${at} ${part.kind}`} part=${part} />`)}</div>`;
}

class Block extends Component {
  /** The same part looks the same. */
  shouldComponentUpdate({ part }) {
    return part !== this.props.part;
  }

  render({ part }) {
    if (part.kind === "text") return html`<div class="block" dir="auto" ...${inner(part.html)}></div>`;
    return html`<div class="block" dir="auto">${VIEWS[part.kind](part)}</div>`;
  }
}

const inner = (made) => ({ dangerouslySetInnerHTML: { __html: made } });

const VIEWS = {
  list: ({ ordered, start, items }) =>
    html`<${ordered ? "ol" : "ul"} ...${start === null ? {} : { start }}>${items.map((item, at) => html`<li key=${at} ...${inner(item)}></li>`)}<//>`,
  table: ({ head, rows }) => html`
    <table>
      <thead><tr ...${inner(head)}></tr></thead>
      ${rows.length > 0 && html`<tbody>${rows.map((row, at) => html`<tr key=${at} ...${inner(row)}></tr>`)}</tbody>`}
    </table>
  `,
  code: ({ label, pieces }) => html`
    <div class="code" dir="ltr">
      <div class="code-bar">
        <span class="code-language">${label}</span>
        <button type="button" class="code-copy" title="Copy the code">Copy</button>
      </div>
      <pre tabindex="0"><code class="hljs">${pieces.map((piece, at) => html`<span class="piece" key=${at} ...${inner(piece)}></span>`)}</code></pre>
    </div>
  `,
};
