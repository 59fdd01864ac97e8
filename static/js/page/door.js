/** Where guests are not welcome: a place to show a token. */

import { useState } from "preact/hooks";

import { Table } from "./icons.js";
import { html } from "./view.js";

export function Door({ salon }) {
  const [token, setToken] = useState("");
  const refused = salon.identity.refused;
  const enter = (event) => {
    event.preventDefault();
    if (!token.trim()) return;
    salon.identity.use(token);
    salon.client.connect();
  };
  return html`
    <main class="door">
      <form class="door-card" onSubmit=${enter}>
        <${Table} />
        <h1>By invitation</h1>
        <p>This server asks who you are. Paste the token that you were given; it stays in this browser.</p>
        <label for="token">Token</label>
        <input
          id="token"
          type="password"
          autocomplete="off"
          spellcheck="false"
          aria-describedby=${refused ? "token-problem" : null}
          aria-invalid=${refused}
          value=${token}
          onInput=${(event) => setToken(event.target.value)}
        />
        ${refused && html`<p class="field-problem" id="token-problem" role="alert">The server did not accept this token. Perhaps it is out of date, or a part of it is missing.</p>`}
        <button class="button primary" disabled=${!token.trim()}>Come in</button>
        <p class="hint">Whoever runs the server makes one with <code>python -m server token --user NAME</code></p>
      </form>
    </main>
  `;
}
