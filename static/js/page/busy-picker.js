/** What becomes of a message that is sent while a reply is being written; for everybody in the conversation. */

import { Icon } from "./icons.js";
import { html } from "./view.js";

const WAYS = [
  ["queue", "In turn", "Its reply waits until the other one has ended"],
  ["reject", "One at a time", "It is not sent"],
  ["interrupt", "Interrupt", "The other reply is stopped"],
];

/** @param {{salon: import("./salon.js").Salon, about: {id: string, busy?: string}}} props */
export function BusyPicker({ salon, about }) {
  const now = about.busy ?? "queue";
  const choose = (event) => salon.chooseBusy(about.id, event.target.value);
  return html`
    <span class="model busy">
      <label class="hidden" for="busy">When a reply is being written</label>
      <select id="busy" value=${now} onChange=${choose} title="What becomes of a message while a reply is being written">
        ${WAYS.map(([way, name, title]) => html`<option value=${way} selected=${way === now} title=${title}>${name}</option>`)}
      </select>
      <${Icon} name="chevron" />
    </span>
  `;
}
