/** What narrows a search, and in which order it comes. */

import { html } from "./view.js";

const WHO = [
  ["", "Everybody"],
  ["me", "Me"],
  ["user", "People"],
  ["assistant", "Replies"],
];
const WHEN = [
  ["", "Any time"],
  ["1", "Today"],
  ["7", "This week"],
  ["31", "This month"],
  ["between", "Between…"],
];
const CODES = ["en", "es", "ca", "de", "eu", "fr", "gl", "it", "nl", "pt", "ru", "sv"];
const NAMES = new Intl.DisplayNames("en", { type: "language" });
const LANGUAGES = [["", "Any language"], ...CODES.map((code) => [code, NAMES.of(code)])];
const ORDERS = [
  ["", "Best first"],
  ["time", "Latest first"],
];

/** @param {{chosen: object, route: string | null, onChange: (changes: object) => void}} props */
export function Filters({ chosen, route, onChange }) {
  const select = (name, label, options) => html`
    <select aria-label=${label} value=${chosen[name]} onChange=${(event) => onChange({ [name]: event.target.value })}>
      ${options.map(([value, words]) => html`<option value=${value} selected=${value === chosen[name]}>${words}</option>`)}
    </select>
  `;
  const field = (name, type, label, more = {}) => html`
    <input type=${type} aria-label=${label} value=${chosen[name]} onInput=${(event) => onChange({ [name]: event.target.value })} ...${more} />
  `;
  return html`
    <div class="search-filters">
      ${select("who", "Who said it", WHO)} ${select("days", "When", WHEN)}
      ${chosen.days === "between" && html`${field("since", "date", "From")} ${field("until", "date", "To")}`}
      ${select("language", "In which language", LANGUAGES)} ${select("order", "In which order", ORDERS)}
      ${field("topic", "text", "Topic", { placeholder: "Topic", maxlength: 100, size: 10 })}
      ${route &&
      html`<label><input type="checkbox" checked=${chosen.here} onChange=${(event) => onChange({ here: event.target.checked })} />In this conversation</label>`}
    </div>
  `;
}
