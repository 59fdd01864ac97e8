/** The empty table: a greeting, somebody to talk to, something to begin with. */

import { Icon, Portrait } from "./icons.js";
import { greeting } from "./times.js";
import { html } from "./view.js";

const BEGINNINGS = [
  ["A word", "What is a tertulia, and why did people love it?"],
  ["A walk", "Plan an unhurried Sunday in Madrid, from the first coffee to the last."],
  ["A craft", "Write a Python function that merges overlapping time ranges, and explain it."],
  ["A story", "Tell me a very short story about a lighthouse that was lonely."],
];

export function Welcome({ salon, state, composer, onSend, onDialog }) {
  return html`
    <div class="welcome">
      <div class="welcome-inner">
        <h1 class="welcome-title">${greeting()}.<br /><em>Pull up a chair.</em></h1>
        <${Seats} salon=${salon} state=${state} composer=${composer} onDialog=${onDialog} />
        <ul class="beginnings" aria-label="Something to begin with">
          ${BEGINNINGS.map(
            ([name, text]) => html`
              <li><button class="beginning" onClick=${() => onSend(text)}><span>${name}</span>${text}</button></li>
            `,
          )}
        </ul>
      </div>
    </div>
  `;
}

function Seats({ salon, state, composer, onDialog }) {
  const choose = (character) => {
    salon.set({ character });
    composer.current?.focus();
  };
  const seat = (character) => html`
    <button class="seat-choice" aria-pressed=${(character?.id ?? null) === state.character} onClick=${() => choose(character?.id ?? null)}>
      <${Portrait} character=${character} />${character?.name ?? "Just the model"}
    </button>
  `;
  return html`
    <div class="seats" role="group" aria-label="Who to talk to">
      ${state.characters.length > 0 && [null, ...state.characters].map(seat)}
      <button class="seat-choice invite" onClick=${() => onDialog({ name: "character" })}><${Icon} name="plus" />Invite a character</button>
    </div>
  `;
}
