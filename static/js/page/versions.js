/** The versions of a message: which one is shown, and the way to the others. */

import { Icon } from "./icons.js";
import { html } from "./view.js";

/** `‹ 2/3 ›`; nothing for a message that has one version. */
export function Versions({ salon, conversation, message }) {
  const { siblings = [] } = message;
  if (siblings.length < 2) return null;
  const at = siblings.indexOf(message.id);
  const choose = (step) => () => salon.choose(conversation.id, siblings[at + step]);
  return html`
    <span class="versions" role="group" aria-label=${`Version ${at + 1} of ${siblings.length}`}>
      <button class="tool" aria-label="Earlier version" disabled=${at <= 0} onClick=${choose(-1)}><${Icon} name="left" /></button>
      <span class="versions-place">${at + 1}/${siblings.length}</span>
      <button class="tool" aria-label="Later version" disabled=${at >= siblings.length - 1} onClick=${choose(1)}><${Icon} name="right" /></button>
    </span>
  `;
}
