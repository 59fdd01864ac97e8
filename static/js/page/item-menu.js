/** What can be done with a conversation as a whole, as a menu: the browser's popover, so that it is above everything. */

import { useEffect, useRef, useState } from "preact/hooks";

import { Icon } from "./icons.js";
import { isOwn, titleOf } from "./list.js";
import { html } from "./view.js";

const EDGE = 8; // so far from the edge of the screen, at least

/** How one parts from a conversation: one's own is deleted, somebody else's is left. @param {object} item @param {string} user */
export const partingFrom = (item, user) =>
  isOwn(item, user) ? { label: "Delete", icon: "trash", dialog: "delete" } : { label: "Leave", icon: "leave", dialog: "leave" };

/** @param {{salon: object, item: object, onRename: () => void, onDialog: (dialog: object) => void}} props */
export function ItemMenu({ salon, item, onRename, onDialog }) {
  const button = useRef(null);
  const [open, setOpen] = useState(false);
  // Pressing the button dismisses an open menu; the click that follows must not open it again.
  const wasOpen = useRef(null);
  const toggle = () => {
    setOpen(!(wasOpen.current ?? open));
    wasOpen.current = null;
  };
  const close = ({ focus = true } = {}) => {
    setOpen(false);
    if (focus) button.current?.focus();
  };
  const title = titleOf(item);
  const parting = partingFrom(item, salon.client.user);
  const does = (label, icon, action) => ({ label, icon, action });
  const entries = [
    does(item.pinned ? "Unpin" : "Pin to the top", "pin", () => salon.pin(item.id, !item.pinned)),
    does(item.archived ? "Put back" : "Archive", "archive", () => salon.archive(item.id, !item.archived)),
    does("Rename", "pencil", onRename),
    does("People", "people", () => onDialog({ name: "people", conversation: item })),
    does("Export as JSON", "out", () => salon.export(item.id, "json")),
    does("Export as Markdown", "out", () => salon.export(item.id, "markdown")),
    does(parting.label, parting.icon, () => onDialog({ name: parting.dialog, conversation: item })),
  ];
  return html`
    <button
      ref=${button}
      class="icon-button"
      aria-label=${`More about “${title}”`}
      aria-haspopup="menu"
      aria-expanded=${open}
      title="More"
      onPointerDown=${() => (wasOpen.current = open)}
      onClick=${toggle}
    >
      <${Icon} name="more" />
    </button>
    ${open && html`<${Menu} label=${title} button=${button} entries=${entries} onClose=${close} />`}
  `;
}

function Menu({ label, button, entries, onClose }) {
  const menu = useRef(null);
  useEffect(() => {
    const element = menu.current;
    element.showPopover();
    place(element, button.current.getBoundingClientRect());
    element.firstElementChild.focus();
  }, []);
  const choose = (entry) => {
    onClose();
    entry.action();
  };
  const key = (event) => {
    const all = [...menu.current.children];
    const at = all.indexOf(document.activeElement);
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: -1 }[event.key];
    if (event.key === "Escape") onClose();
    else if (event.key === "Tab") return onClose({ focus: true });
    else if (to === undefined) return undefined;
    else all.at(to % all.length).focus();
    event.preventDefault();
    event.stopPropagation();
    return undefined;
  };
  const toggled = (event) => event.newState === "closed" && onClose({ focus: false });
  return html`
    <div ref=${menu} class="menu" role="menu" aria-label=${label} popover="auto" onKeyDown=${key} onToggle=${toggled}>
      ${entries.map(
        (entry) => html`<button key=${entry.icon + entry.label} role="menuitem" tabindex="-1" onClick=${() => choose(entry)}><${Icon} name=${entry.icon} />${entry.label}</button>`,
      )}
    </div>
  `;
}

/** Below its button, or above where there is no room; never off the screen. */
function place(menu, { right, top, bottom }) {
  const { offsetWidth, offsetHeight } = menu;
  const { clientWidth, clientHeight } = document.documentElement;
  const below = bottom + offsetHeight + EDGE <= clientHeight ? bottom : Math.max(EDGE, top - offsetHeight);
  menu.style.top = `${below}px`;
  menu.style.left = `${Math.min(Math.max(EDGE, right - offsetWidth), clientWidth - offsetWidth - EDGE)}px`;
}
