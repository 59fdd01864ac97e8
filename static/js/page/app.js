/** The whole page: who is shown what, and the keys that work everywhere. */

import { useEffect, useRef, useState } from "preact/hooks";

import { Door } from "./door.js";
import { CharacterDialog, DeleteDialog, LeaveDialog, ShortcutsDialog, TakeBackDialog } from "./dialogs.js";
import { inFlight } from "../client/index.js";
import { shown } from "./list.js";
import { Sidebar } from "./sidebar.js";
import { Room } from "./room.js";
import { PeopleDialog } from "./people-dialog.js";
import { SearchDialog } from "./search.js";
import { html, isComposing, useMedia, useStore } from "./view.js";

export const PHONE = "(max-width: 760px)";

const go = (id) => {
  location.hash = id ? `#/c/${id}` : "#/";
};

export function App({ salon }) {
  const state = useStore(salon);
  const phone = useMedia(PHONE);
  const [drawer, setDrawer] = useState(false);
  const [dialog, setDialog] = useState(null);
  const composer = useRef(null);
  const current = salon.find(state.route);

  const begin = () => {
    setDrawer(false);
    go(null);
    composer.current?.focus();
  };
  useKeys(salon, { begin, drawer, setDrawer, setDialog, composer });
  useEffect(() => setDrawer(false), [state.route]);
  useEffect(() => {
    document.title = current?.title ? `${current.title} · Tertulia` : "Tertulia";
  }, [current?.title]);
  // The conversation in sight was deleted, or left, here or elsewhere. The address alone says what is in sight: effects come late on
  // a busy machine, and by then somebody may have gone on to another one.
  useEffect(() => {
    if (state.gone && location.hash.startsWith(`#/c/${state.gone}`)) go(null);
  }, [state.gone]);

  if (state.status.phase === "signed out") return html`<${Door} salon=${salon} />`;
  const closed = phone && !drawer;
  return html`
    <div class=${drawer ? "house drawer-open" : "house"}>
      <a class="skip" href="#composer" onClick=${(event) => skip(event, composer)}>Skip to the message box</a>
      <${Sidebar} salon=${salon} state=${state} hidden=${closed} drawn=${phone && drawer} onBegin=${begin} onDialog=${setDialog} onOpen=${go} onClose=${() => setDrawer(false)} />
      <button class="backdrop" tabindex="-1" aria-hidden="true" onClick=${() => setDrawer(false)}></button>
      <${Room}
        key=${state.route ?? "new"}
        salon=${salon}
        state=${state}
        composer=${composer}
        covered=${phone && drawer}
        onMenu=${() => setDrawer(true)}
        onBegin=${begin}
        onBegun=${go}
        onDialog=${setDialog}
      />
      <${Notice} salon=${salon} text=${state.notice} />
      ${dialog?.name === "shortcuts" && html`<${ShortcutsDialog} onClose=${() => setDialog(null)} />`}
      ${dialog?.name === "search" && html`<${SearchDialog} salon=${salon} route=${state.route} onClose=${() => setDialog(null)} />`}
      ${dialog?.name === "character" && html`<${CharacterDialog} salon=${salon} onClose=${() => setDialog(null)} />`}
      ${dialog?.name === "delete" &&
      html`<${DeleteDialog} salon=${salon} conversation=${dialog.conversation} onClose=${() => setDialog(null)} />`}
      ${dialog?.name === "leave" &&
      html`<${LeaveDialog} salon=${salon} conversation=${dialog.conversation} onClose=${() => setDialog(null)} />`}
      ${dialog?.name === "people" &&
      html`<${PeopleDialog} salon=${salon} conversation=${salon.find(dialog.conversation.id) ?? dialog.conversation} onClose=${() => setDialog(null)} />`}
      ${dialog?.name === "take back" &&
      html`<${TakeBackDialog} salon=${salon} conversation=${dialog.conversation} message=${dialog.message} onClose=${() => setDialog(null)} />`}
    </div>
  `;
}

function skip(event, composer) {
  event.preventDefault();
  composer.current?.focus();
}

/** A sentence about trouble, for a while. */
function Notice({ salon, text }) {
  useEffect(() => {
    if (!text) return undefined;
    const timer = setTimeout(() => salon.notify(null), 8_000);
    return () => clearTimeout(timer);
  }, [text]);
  return html`<div class="notice" role="alert">${text && html`<p>${text}</p>`}</div>`;
}

const isField = (element) => element?.matches?.("input, textarea, select, [contenteditable]") ?? false;

function useKeys(salon, { begin, drawer, setDrawer, setDialog, composer }) {
  const latest = useRef(null);
  latest.current = (event) => {
    if (isComposing(event) || document.querySelector("dialog[open]")) return;
    const key = event.key.toLowerCase();
    if ((event.ctrlKey || event.metaKey) && key === "k") return take(event, () => setDialog({ name: "search" }));
    if (event.altKey && key === "n") return take(event, begin);
    if (event.altKey && (key === "arrowup" || key === "arrowdown")) return take(event, () => move(salon, key === "arrowup" ? -1 : 1));
    if (key === "escape" && drawer) return take(event, () => setDrawer(false));
    if (key === "escape" && !event.defaultPrevented) return stop(salon);
    if (isField(event.target) || event.ctrlKey || event.metaKey || event.altKey) return undefined;
    if (key === "?") return take(event, () => setDialog({ name: "shortcuts" }));
    if (key === "/") return take(event, () => composer.current?.focus());
    return undefined;
  };
  useEffect(() => {
    const listener = (event) => latest.current(event);
    addEventListener("keydown", listener);
    return () => removeEventListener("keydown", listener);
  }, []);
}

function take(event, action) {
  event.preventDefault();
  action();
}

function move(salon, step) {
  const { conversations, archive, route } = salon.state;
  const list = shown(conversations, archive);
  const at = list.findIndex(({ id }) => id === route);
  const next = list[at < 0 ? 0 : at + step];
  if (next) go(next.id);
}

function stop(salon) {
  const { route } = salon.state;
  const reply = route && inFlight(salon.client.conversation(route).transcript);
  if (reply) salon.stop(route, reply.id);
}
