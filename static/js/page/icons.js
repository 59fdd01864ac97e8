/** Drawn by hand for this page: strokes of one width, round ends. */

import { html } from "./view.js";

const PATHS = {
  plus: "M12 5v14M5 12h14",
  menu: "M4 7h16M4 12h11M4 17h16",
  close: "M6 6l12 12M18 6L6 18",
  pencil: "M4 20l1-4L16.5 4.5a2.1 2.1 0 013 3L8 19z",
  trash: "M4.5 7h15M9.5 7V4.5h5V7M6.5 7l.8 12.5h9.4L17.5 7M10.3 11v5M13.7 11v5",
  leave: "M10.5 4.5h-5v15h5M10 12h9.5M15.5 8l4 4-4 4",
  people: "M9 5a3.2 3.2 0 100 6.4A3.2 3.2 0 009 5M3.5 19.5c0-3.2 2.3-5.2 5.5-5.2s5.5 2 5.5 5.2M16 5.4a3 3 0 010 5.6M17.3 14.6c2 .6 3.2 2.3 3.2 4.9",
  send: "M12 19V5.5M5.8 11.5L12 5.3l6.2 6.2",
  down: "M12 5v13.5M5.8 12.5L12 18.7l6.2-6.2",
  copy: "M9 9h10v11H9zM5 15V4h10",
  check: "M5 12.5l4.5 4.5L19 7.5",
  sun: "M12 8.2a3.8 3.8 0 100 7.6 3.8 3.8 0 000-7.6M12 2.8v2M12 19.2v2M2.8 12h2M19.2 12h2M5.5 5.5l1.4 1.4M17.1 17.1l1.4 1.4M5.5 18.5l1.4-1.4M17.1 6.9l1.4-1.4",
  moon: "M20 14.2A8.2 8.2 0 119.8 4a6.6 6.6 0 0010.2 10.2z",
  keyboard: "M3.5 6.5h17v11h-17zM7 10h.01M10.3 10h.01M13.7 10h.01M17 10h.01M8 14h8",
  left: "M14.5 6l-6 6 6 6",
  right: "M9.5 6l6 6-6 6",
  chevron: "M7 10l5 5 5-5",
  search: "M11 4.5a6.5 6.5 0 100 13 6.5 6.5 0 000-13M16 16l4 4",
  more: "M5 12a1 1 0 102 0 1 1 0 10-2 0M11 12a1 1 0 102 0 1 1 0 10-2 0M17 12a1 1 0 102 0 1 1 0 10-2 0",
  pin: "M9 4h6l-.8 6 3.3 3.5h-11L9.8 10zM12 13.5V20",
  archive: "M4 5h16v4H4zM5.5 9v10.5h13V9M10 13h4",
  out: "M12 4v10.5M7.5 8.5L12 4l4.5 4.5M5 14v5.5h14V14",
  in: "M12 14.5V4M7.5 10l4.5 4.5 4.5-4.5M5 14v5.5h14V14",
  retry: "M19 12a7 7 0 11-2-4.9M19 3.5v4h-4",
};

export function Icon({ name }) {
  return html`<svg class="icon" viewBox="0 0 24 24" aria-hidden="true"><path d=${PATHS[name]} /></svg>`;
}

const SEATS = [
  "M12.0 4.5A12.2 12.2 0 0 1 20.0 4.5",
  "M25.7 8.7A12.2 12.2 0 0 1 28.2 16.2",
  "M26.0 23.0A12.2 12.2 0 0 1 19.6 27.7",
  "M12.4 27.7A12.2 12.2 0 0 1 6.0 23.0",
  "M3.8 16.2A12.2 12.2 0 0 1 6.3 8.7",
];

/** The mark: chairs around a table, one of them free. While `talking`, the word goes round. */
export function Table({ talking = false }) {
  return html`
    <svg class=${talking ? "table talking" : "table"} viewBox="0 0 32 32" aria-hidden="true">
      <circle class="table-top" cx="16" cy="16" r="6.4" />
      ${SEATS.map((seat) => html`<path class="seat" d=${seat} />`)}
    </svg>
  `;
}

/** A character's initial, in a colour of its own. */
export function Portrait({ character }) {
  if (!character) return html`<span class="portrait"><${Table} /></span>`;
  const hue = Array.from(character.id).reduce((hash, sign) => (hash * 31 + sign.codePointAt(0)) % 9_973, 7) % 6;
  return html`<span class=${`portrait hue-${hue}`} aria-hidden="true">${Array.from(character.name.trim())[0] ?? "?"}</span>`;
}
