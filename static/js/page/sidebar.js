/** The list of conversations, latest first. */

import { useEffect, useRef, useState } from "preact/hooks";

import { Appearance } from "./appearance.js";
import { Icon, Table } from "./icons.js";
import { ItemMenu, partingFrom } from "./item-menu.js";
import { latest, sections, shown, titleOf } from "./list.js";
import { plain } from "./plain.js";
import { TitleEditor } from "./title-editor.js";
import { ago, exactly } from "./times.js";
import { html, useClock } from "./view.js";

/** @param {{salon: object, state: object, hidden: boolean, drawn: boolean}} props and what to do; `drawn`: as a drawer, over the room */
export function Sidebar({ salon, state, hidden, drawn, onBegin, onDialog, onOpen, onClose }) {
  const close = useRef(null);
  // What had the focus cannot be reached any more.
  useEffect(() => drawn && close.current.focus({ preventScroll: true }), [drawn]);
  return html`
    <nav class="sidebar" aria-label="Conversations" inert=${hidden}>
      <header class="sidebar-head">
        <a class="wordmark" href="#/" onClick=${onBegin}><${Table} /><span>Tertulia</span></a>
        <button ref=${close} class="icon-button only-phone" aria-label="Close the list" onClick=${onClose}><${Icon} name="close" /></button>
      </header>
      <div class="begin-row">
        <button class="button begin" onClick=${onBegin}><${Icon} name="plus" /> New conversation</button>
        <button class="icon-button" aria-label="Search" title=${`Search (${MOD} K)`} onClick=${() => onDialog({ name: "search" })}><${Icon} name="search" /></button>
      </div>
      <div class="sidebar-list"><${List} salon=${salon} state=${state} onDialog=${onDialog} /></div>
      <footer class="sidebar-foot">
        <${Connection} status=${state.status} />
        <${Import} salon=${salon} onOpen=${onOpen} />
        <button
          class="icon-button"
          aria-label="Archive"
          aria-pressed=${state.archive}
          title=${state.archive ? "Back from the archive" : "What was put away"}
          onClick=${() => salon.showArchive(!state.archive)}
        >
          <${Icon} name="archive" />
        </button>
        <button class="icon-button only-desktop" aria-label="Keyboard shortcuts" title="Keyboard shortcuts (?)" onClick=${() => onDialog({ name: "shortcuts" })}>
          <${Icon} name="keyboard" />
        </button>
        <${Appearance} />
      </footer>
    </nav>
  `;
}

export const MOD = /Mac|iPhone|iPad/.test(navigator.platform) ? "⌘" : "Ctrl";

const WORDS = { open: "Connected", offline: "Offline", refused: "Not connected", waiting: "Reconnecting" };

function Connection({ status }) {
  const word = WORDS[status.phase] ?? "Connecting";
  return html`<span class=${`connection ${status.phase === "open" ? "up" : "down"}`}><i></i>${word}</span>`;
}

/** A file that was exported becomes a conversation again. */
function Import({ salon, onOpen }) {
  const field = useRef(null);
  const chosen = async ({ target }) => {
    const [file] = target.files;
    target.value = "";
    const id = file && (await salon.import(file));
    if (id) onOpen(id);
  };
  return html`
    <input ref=${field} type="file" accept="application/json,.json" aria-label="A conversation that was exported" hidden onChange=${chosen} />
    <button class="icon-button" aria-label="Import a conversation" title="Import a conversation" onClick=${() => field.current.click()}><${Icon} name="in" /></button>
  `;
}

function List({ salon, state, onDialog }) {
  useClock(30_000);
  const now = new Date();
  const { archive } = state;
  const list = shown(state.conversations, archive);
  const more = archive ? state.nextArchived : state.next;
  const empty = archive ? "Nothing was put away." : state.loaded ? "What you talk about is kept here." : "";
  return html`
    ${archive && html`<p class="sidebar-archive"><strong>Archive</strong><button class="button small quiet" onClick=${() => salon.showArchive(false)}>Back</button></p>`}
    ${!list.length && html`<p class="sidebar-empty">${empty}</p>`}
    ${sections(list, now).map(
      ([name, items]) => html`
        <section key=${name}>
          <h2>${name}</h2>
          <ul>
            ${items.map(
              (item) => html`<${Item} key=${item.id} salon=${salon} item=${item} now=${now} current=${item.id === state.route} onDialog=${onDialog} />`,
            )}
          </ul>
        </section>
      `,
    )}
    ${more && html`<button class="button quiet more" onClick=${() => salon.loadMore()}>Older conversations</button>`}
  `;
}

function Item({ salon, item, now, current, onDialog }) {
  const [renaming, setRenaming] = useState(false);
  const title = titleOf(item);
  const parting = partingFrom(item, salon.client.user);
  const part = () => onDialog({ name: parting.dialog, conversation: item });
  const key = (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "F2") setRenaming(true);
    if (event.key === "p") salon.pin(item.id, !item.pinned);
    if (event.key === "e") salon.archive(item.id, !item.archived);
    if (event.key === "Delete") part();
  };
  if (renaming) {
    return html`<li class="item renaming"><${TitleEditor} title=${item.title} onDone=${(given) => {
      setRenaming(false);
      if (given) salon.rename(item.id, given);
    }} /></li>`;
  }
  return html`
    <li class=${["item", current && "current", item.unread > 0 && "unread"].filter(Boolean).join(" ")}>
      <a href=${`#/c/${item.id}`} aria-current=${current ? "page" : null} title=${title} onKeyDown=${key} onDblClick=${() => setRenaming(true)}>
        <span class="item-lines">
          <span class="item-title" dir="auto">${title}</span>
          ${item.last?.text && html`<span class="item-last" dir="auto">${plain(item.last.text)}</span>`}
        </span>
        ${item.unread > 0 && html`<span class="badge" aria-label=${`${item.unread} unread`}>${item.unread > 99 ? "99+" : item.unread}</span>`}
        <time datetime=${latest(item)} title=${exactly(latest(item))}>${ago(latest(item), now)}</time>
      </a>
      <div class="item-tools">
        <button class="icon-button" aria-label=${`Rename “${title}”`} title="Rename (F2)" onClick=${() => setRenaming(true)}><${Icon} name="pencil" /></button>
        <button class="icon-button" aria-label=${`${parting.label} “${title}”`} title=${parting.label} onClick=${part}><${Icon} name=${parting.icon} /></button>
        <${ItemMenu} salon=${salon} item=${item} onRename=${() => setRenaming(true)} onDialog=${onDialog} />
      </div>
    </li>
  `;
}
