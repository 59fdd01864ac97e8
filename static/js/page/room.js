/** The main part: one conversation, or the place where a new one begins. */

import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";

import { others } from "./activity.js";
import { Announcer, CompanyAnnouncer } from "./announcer.js";
import { Composer } from "./composer.js";
import { Icon } from "./icons.js";
import { ItemMenu } from "./item-menu.js";
import { titleOf } from "./list.js";
import { StatusLine } from "./status-line.js";
import { Thread } from "./thread.js";
import { TitleEditor } from "./title-editor.js";
import { html, useWatched } from "./view.js";
import { Welcome } from "./welcome.js";

/** @param {{salon: import("./salon.js").Salon, composer: {current: HTMLTextAreaElement | null}}} props and what to do */
export function Room({ salon, state, composer, covered, onMenu, onBegin, onBegun, onDialog }) {
  const { route } = state;
  const about = salon.find(route);
  const conversation = route ? salon.client.conversation(route) : null;
  const [sent, setSent] = useState(0);
  const [editing, setEditing] = useState(null);
  const [beginning, begin] = useBegin(salon, onBegun);

  // At once, not after the next paint: by then somebody may have gone elsewhere.
  useLayoutEffect(() => {
    // On a phone the keyboard would jump up; there one taps when one wants to write.
    if (!matchMedia("(pointer: coarse)").matches) composer.current?.focus({ preventScroll: true });
  }, []);

  const send = async (text) => {
    setSent((count) => count + 1);
    if (route) {
      salon.send(route, text);
      return true;
    }
    return begin(text);
  };

  const edit = (id) => {
    if (id && !conversation.shown.some((message) => message.id === id)) conversation.live();
    setEditing(id);
    if (!id) composer.current?.focus({ preventScroll: true });
  };
  const editLast = () => {
    const mine = conversation?.transcript.messages.findLast(({ user, retracted }) => user && user === salon.client.user && !retracted);
    if (mine) edit(mine.id);
    return Boolean(mine);
  };

  return html`
    <main class="room" inert=${covered}>
      <${Header} covered=${covered} salon=${salon} about=${about} conversation=${conversation} onMenu=${onMenu} onBegin=${onBegin} onDialog=${onDialog} />
      ${conversation
        ? html`<${Thread} salon=${salon} conversation=${conversation} about=${about} sent=${sent} sought=${state.sought} seeks=${state.seeks} editing=${editing} onEdit=${edit} onDialog=${onDialog} />`
        : html`<${Welcome} salon=${salon} state=${state} composer=${composer} onSend=${send} onDialog=${onDialog} />`}
      <footer class="foot">
        <${StatusLine} salon=${salon} status=${state.status} conversation=${conversation} sending=${beginning} />
        <${Composer} key=${route ?? "new"} salon=${salon} state=${state} about=${about} conversation=${conversation} field=${composer} onSend=${send} onEditLast=${editLast} />
      </footer>
      ${conversation && html`<${Announcer} key=${conversation.id} conversation=${conversation} name=${salon.characterOf(about)?.name ?? "The model"} begun=${salon.begun.has(conversation.id)} />`}
      ${conversation && html`<${CompanyAnnouncer} key=${conversation.id} salon=${salon} conversation=${conversation} />`}
    </main>
  `;
}

/**
 * Begins one conversation, however often one presses until it is there; whether that is under way, and how to.
 *
 * @returns {[boolean, (text: string) => Promise<boolean>]}
 */
function useBegin(salon, onBegun) {
  const [beginning, setBeginning] = useState(false);
  const busy = useRef(false);
  const begin = async (text) => {
    if (busy.current) return false;
    busy.current = true;
    setBeginning(true);
    const id = await salon.begin(text);
    busy.current = false;
    setBeginning(false);
    if (id) onBegun(id);
    return id !== null;
  };
  return [beginning, begin];
}

function Header({ covered, salon, about, conversation, onMenu, onBegin, onDialog }) {
  const [renaming, setRenaming] = useState(false);
  const menu = useRef(null);
  const wasCovered = useRef(covered);
  useEffect(() => {
    // The list is closed: back to where it was opened.
    if (wasCovered.current && !covered && !document.activeElement?.closest(".room")) menu.current.focus({ preventScroll: true });
    wasCovered.current = covered;
  }, [covered]);
  const finish = (title) => {
    setRenaming(false);
    if (title) salon.rename(about.id, title);
  };
  const character = salon.characterOf(about);
  return html`
    <header class="room-head">
      <button ref=${menu} class="icon-button only-phone" aria-label="Conversations" onClick=${onMenu}><${Icon} name="menu" /></button>
      <div class="room-title">
        ${about && renaming && html`<${TitleEditor} title=${about.title} onDone=${finish} />`}
        ${about &&
        !renaming &&
        html`<h1><button dir="auto" title="Rename" onClick=${() => setRenaming(true)}>${titleOf(about)}</button></h1>`}
        <p>
          ${character && html`<span>with ${character.name}</span>`}
          ${conversation && html`<${Here} key=${conversation.id} salon=${salon} conversation=${conversation} />`}
        </p>
      </div>
      ${about && html`<${ItemMenu} salon=${salon} item=${about} onRename=${() => setRenaming(true)} onDialog=${onDialog} />`}
      <button class="icon-button only-phone" aria-label="New conversation" onClick=${onBegin}><${Icon} name="plus" /></button>
    </header>
  `;
}

/** Who else has this conversation open. */
function Here({ salon, conversation }) {
  const text = useWatched(conversation, ({ company }) => others(company, salon.client.user));
  return text && html`<span class="here" data-testid="here">${text}</span>`;
}
