/** The messages of a conversation. It keeps to the newest while one is there, and stays put when one reads above. */

import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";

import { Icon, Table } from "./icons.js";
import { Message, Pending } from "./message.js";
import { useScroll } from "./scroll.js";
import { html, useWatched } from "./view.js";

/** @param {{salon: object, conversation: object, about: object, sent: number, sought: string | null, seeks: number, editing: string | null, onEdit: (id: string | null) => void, onDialog: (dialog: object) => void}} props */
export function Thread({ salon, conversation, about, sent, sought, seeks, editing, onEdit, onDialog }) {
  // Which messages there are, not what is in them: each one watches itself.
  const ids = useWatched(conversation, ({ shown }) => shown.map(({ id }) => id).join(" "));
  const live = useWatched(conversation, ({ excerpt }) => !excerpt);
  const outgoing = useWatched(conversation, (it) => it.outgoing);
  const loaded = useWatched(conversation, (it) => it.loaded);
  const error = useWatched(conversation, (it) => it.error);
  const order = ids ? ids.split(" ") : [];

  const scroller = useRef(null);
  const content = useRef(null);
  const { away, toNewest, leave } = useScroll(scroller, content, order[0], live);
  useSought({ salon, conversation, loaded, sought, seeks, content, leave });
  useLayoutEffect(() => {
    if (!sent) return;
    conversation.live();
    toNewest({ smooth: false });
  }, [sent]);
  const toLive = () => {
    conversation.live();
    toNewest({ smooth: live });
  };

  if (error) return html`<${Nowhere} error=${error} />`;
  const character = salon.characterOf(about);
  return html`
    <div class="thread" ref=${scroller} tabindex="-1">
      <div class="thread-content" ref=${content} data-loaded=${loaded}>
        ${!loaded && html`<div class="older opening"><span class="older-dots" role="img" aria-label="Opening the conversation"></span></div>`}
        ${loaded && conversation.hasOlder && html`<${Beyond} key="older" side="older" edge=${order[0]} conversation=${conversation} scroller=${scroller} />`}
        <ol class="messages" aria-label="Messages">
          ${order.map(
            (id, index) =>
              html`<${Message} key=${id} id=${id} salon=${salon} conversation=${conversation} character=${character} last=${index === order.length - 1} editing=${editing === id} onEdit=${onEdit} onDialog=${onDialog} />`,
          )}
          ${live && outgoing.map((entry) => html`<${Pending} key=${entry.key} salon=${salon} conversation=${conversation} entry=${entry} />`)}
        </ol>
        ${!live && html`<${Beyond} key="newer" side="newer" edge=${order.at(-1)} conversation=${conversation} scroller=${scroller} />`}
        ${loaded && !order.length && !outgoing.length && html`<p class="thread-empty">Nobody has said a word yet.</p>`}
      </div>
    </div>
    <div class="newest-holder">
      ${(away || !live) && html`<button class="newest" onClick=${toLive}><${Icon} name="down" />Newest</button>`}
    </div>
  `;
}

/** Goes to a message that somebody looks for, and shows which it is; what lies between is not loaded. */
function useSought({ salon, conversation, loaded, sought, seeks, content, leave }) {
  useEffect(() => {
    if (!loaded || !sought) return undefined;
    let current = true;
    const go = async () => {
      leave();
      const element = (await conversation.goTo(sought)) && current && (await rendered(content.current, sought));
      if (!element) {
        if (current) salon.notify("That message is not on the branch that is shown.");
        return;
      }
      leave();
      element.scrollIntoView({ block: "center" });
      element.classList.add("sought");
    };
    salon.attempt(go);
    return () => {
      current = false;
    };
  }, [loaded, sought, seeks]);
}

/** The element of a message, once it is drawn. */
async function rendered(content, id) {
  for (let frames = 0; frames < 60; frames += 1) {
    const element = content.querySelector(`[data-message="${id}"]`);
    if (element) return element;
    await new Promise((drawn) => requestAnimationFrame(drawn));
  }
  return null;
}

/** At the top, or at the bottom of an excerpt: loads the page beyond when it comes into sight. */
function Beyond({ side, edge, conversation, scroller }) {
  const element = useRef(null);
  const [trouble, setTrouble] = useState(null);
  const load = () => {
    setTrouble(null);
    conversation[side]().catch((error) => setTrouble(error.message));
  };
  // Watched anew after each page: a page that does not fill the room must bring the next one.
  useEffect(() => {
    const observer = new IntersectionObserver(([entry]) => entry.isIntersecting && load(), {
      root: scroller.current,
      rootMargin: "600px 0px",
    });
    observer.observe(element.current);
    return () => observer.disconnect();
  }, [edge]);
  return html`
    <div class="older" ref=${element}>
      ${trouble ? html`<p>${trouble}</p><button class="button quiet" onClick=${load}>Try again</button>` : html`<span class="older-dots" aria-label=${`Loading ${side} messages`}></span>`}
    </div>
  `;
}

const REASONS = {
  not_found: "There is no such conversation. Perhaps it was deleted.",
  forbidden: "This conversation belongs to somebody else.",
};

function Nowhere({ error }) {
  return html`
    <div class="thread nowhere">
      <${Table} />
      <h2>An empty table</h2>
      <p>${REASONS[error.code] ?? error.message}</p>
      <a class="button" href="#/">Begin another one</a>
    </div>
  `;
}
