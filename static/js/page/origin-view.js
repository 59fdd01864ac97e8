/** Beside a reply's text: calls of tools, sources, notices, and who wrote what. */

import { linkable, origin, readable } from "./origin.js";
import { html } from "./view.js";

export function Calls({ message }) {
  const results = new Map((message.tool_results ?? []).map(({ id, output }) => [id, output]));
  return (message.tool_calls ?? []).map(
    (call) => html`
      <details class="call" key=${call.id} data-call=${call.id}>
        <summary>Asks for <code>${call.name}</code>${results.has(call.id) ? ", answered" : ""}</summary>
        <pre>${readable(call.arguments)}</pre>
        ${results.has(call.id) && html`<pre>${results.get(call.id)}</pre>`}
      </details>
    `,
  );
}

export function Sources({ citations }) {
  if (!citations?.length) return null;
  return html`
    <ol class="sources">
      ${citations.map(({ url, title, quote }) => {
        const words = title || url || quote;
        return html`<li>${linkable(url) ? html`<a href=${url} rel="noopener noreferrer nofollow" target="_blank">${words}</a>` : words}</li>`;
      })}
    </ol>
  `;
}

/** Which settings were left out, and who wrote what where it was more than one. */
export function Origin({ message }) {
  const lines = [...(message.notices ?? []), origin(message.provenance)].filter(Boolean);
  if (!lines.length) return null;
  return html`<p class="origin">${lines.join(" · ")}</p>`;
}
