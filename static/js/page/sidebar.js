/** The list of conversations, latest first. */

import { useState } from "preact/hooks";

import { Appearance } from "./appearance.js";
import { Icon, Table } from "./icons.js";
import { TitleEditor } from "./title-editor.js";
import { ago, day, exactly } from "./times.js";
import { html, useClock } from "./view.js";

export function Sidebar({ salon, state, hidden, onBegin, onDialog, onClose }) {
  return html`
    <nav class="sidebar" aria-label="Conversations" inert=${hidden}>
      <header class="sidebar-head">
        <a class="wordmark" href="#/" onClick=${onBegin}><${Table} /><span>Tertulia</span></a>
        <button class="icon-button only-phone" aria-label="Close the list" onClick=${onClose}><${Icon} name="close" /></button>
      </header>
      <div class="begin-row">
        <button class="button begin" onClick=${onBegin}><${Icon} name="plus" /> New conversation</button>
        <button class="icon-button" aria-label="Search" title=${`Search (${MOD} K)`} onClick=${() => onDialog({ name: "search" })}><${Icon} name="search" /></button>
      </div>
      <div class="sidebar-list"><${List} salon=${salon} state=${state} onDialog=${onDialog} /></div>
      <footer class="sidebar-foot">
        <${Connection} status=${state.status} />
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

function List({ salon, state, onDialog }) {
  useClock(30_000);
  const now = new Date();
  if (!state.conversations.length) {
    return html`<p class="sidebar-empty">${state.loaded ? "What you talk about is kept here." : ""}</p>`;
  }
  const groups = Map.groupBy
    ? Map.groupBy(state.conversations, (item) => day(latest(item), now))
    : state.conversations.reduce((map, item) => {
        const name = day(latest(item), now);
        return map.set(name, [...(map.get(name) ?? []), item]);
      }, new Map());
  return html`
    ${[...groups].map(
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
    ${state.next && html`<button class="button quiet more" onClick=${() => salon.loadMore()}>Older conversations</button>`}
  `;
}

/** A conversation has no name before its first message. */
export const titleOf = (item) => item.title || "New conversation";

const latest = (item) => item.updated_at ?? item.created_at;

function Item({ salon, item, now, current, onDialog }) {
  const [renaming, setRenaming] = useState(false);
  const title = titleOf(item);
  const key = (event) => {
    if (event.key === "F2") setRenaming(true);
    if (event.key === "Delete") onDialog({ name: "delete", conversation: item });
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
          <span class="item-title">${title}</span>
          ${item.last?.text && html`<span class="item-last">${item.last.text}</span>`}
        </span>
        ${item.unread > 0 && html`<span class="badge" aria-label=${`${item.unread} unread`}>${item.unread > 99 ? "99+" : item.unread}</span>`}
        <time datetime=${latest(item)} title=${exactly(latest(item))}>${ago(latest(item), now)}</time>
      </a>
      <div class="item-tools">
        <button class="icon-button" aria-label=${`Rename “${title}”`} title="Rename (F2)" onClick=${() => setRenaming(true)}><${Icon} name="pencil" /></button>
        <button class="icon-button" aria-label=${`Delete “${title}”`} title="Delete" onClick=${() => onDialog({ name: "delete", conversation: item })}>
          <${Icon} name="trash" />
        </button>
      </div>
    </li>
  `;
}
