/** Finding messages again: results while one types, and the way to each in its place. */

import { useEffect, useRef, useState } from "preact/hooks";

import { Dialog } from "./dialogs.js";
import { Filters } from "./search-filters.js";
import { unmarked } from "./plain.js";
import { anything } from "./search-wish.js";
import { ago, exactly } from "./times.js";
import { html, isComposing } from "./view.js";

const PAUSE = 120; // so long nothing is typed before it is looked for
const PAGE = 20;

/** @param {{salon: object, route: string | null, onClose: () => void}} props */
export function SearchDialog({ salon, route, onClose }) {
  const [text, setText] = useState(salon.state.lookedFor ?? "");
  const [filters, setFilters] = useState(anything);
  const [chosen, setChosen] = useState(0);
  const [found, more] = useSearch(salon, text, filters, () => setChosen(0));
  const list = useRef(null);
  const input = useRef(null);
  useEffect(() => input.current.select(), []);

  const hits = found?.hits ?? [];
  const open = (hit) => {
    if (!hit) return;
    salon.set({ lookedFor: text });
    onClose();
    const route = `#/c/${hit.conversation}/${hit.id}`;
    // One that is sought already, and was left by scrolling, is gone to once more.
    if (location.hash === route) dispatchEvent(new HashChangeEvent("hashchange"));
    else location.hash = route;
  };
  const key = (event) => {
    if (isComposing(event)) return;
    if (event.key === "Enter") open(hits[chosen]);
    else if (event.key === "Escape") onClose(); // browsers would clear the box first, and ask for it twice
    else if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      const next = Math.min(hits.length - 1, Math.max(0, chosen + (event.key === "ArrowDown" ? 1 : -1)));
      setChosen(next);
      list.current?.children[next]?.scrollIntoView({ block: "nearest" });
    } else return;
    event.preventDefault();
  };
  return html`
    <${Dialog} label="Search" kind="search" onClose=${onClose}>
      <input
        ref=${input}
        class="search-box"
        type="search"
        aria-label="Search your messages"
        placeholder="Search your messages"
        aria-controls="search-hits"
        aria-activedescendant=${hits.length ? `hit-${chosen}` : null}
        role="combobox"
        aria-expanded=${hits.length > 0}
        autofocus
        maxlength="500"
        value=${text}
        onInput=${(event) => setText(event.target.value)}
        onKeyDown=${key}
      />
      <${Filters} chosen=${filters} route=${route} onChange=${(changes) => setFilters({ ...filters, ...changes })} />
      <ol class="search-hits" id="search-hits" role="listbox" aria-label="Found" ref=${list}>
        ${hits.map((hit, place) => html`<${Hit} key=${hit.id} id=${`hit-${place}`} hit=${hit} chosen=${place === chosen} onOpen=${() => open(hit)} />`)}
      </ol>
      ${found?.total > hits.length && hits.length > 0 && html`<button class="button quiet small" onClick=${more}>More</button>`}
      <p class="search-count" role="status">${told(found)}</p>
    <//>
  `;
}

/** What is found, a moment after the last key, null while nothing is looked for; and how to get more of it. */
function useSearch(salon, text, filters, onFound) {
  const [found, setFound] = useState(null);
  useEffect(() => {
    if (!text.trim()) {
      setFound(null);
      return undefined;
    }
    let current = true;
    const timer = setTimeout(async () => {
      const answer = await salon.search(text, filters, { limit: PAGE });
      if (!current) return;
      setFound(answer);
      onFound();
    }, PAUSE);
    return () => {
      current = false;
      clearTimeout(timer);
    };
  }, [text, filters]);
  const more = async () => {
    const next = await salon.search(text, filters, { limit: PAGE, offset: found.hits.length });
    // Where another search has answered meanwhile, this is no part of it.
    setFound((now) => (now === found ? { ...next, total: Math.max(next.total, found.total), hits: added(found.hits, next.hits) } : now));
  };
  return [found, more];
}

/** Something new may have moved the pages against each other: nothing is shown twice. */
function added(hits, next) {
  const known = new Set(hits.map(({ id }) => id));
  return [...hits, ...next.filter(({ id }) => !known.has(id))];
}

function told(found) {
  if (!found) return "Words, “a phrase”, or -not this one.";
  if (found.problem) return found.problem;
  if (!found.total) return "Nothing was found.";
  const more = found.total >= 1000 || found.complete === false; // of frequent words only the newest messages are looked at
  const total = `${found.total}${more ? " or more" : ""}`;
  return found.total > found.hits.length ? `The first ${found.hits.length} of ${total}.` : `${total} found.`;
}

function Hit({ id, hit, chosen, onOpen }) {
  return html`
    <li id=${id} class=${chosen ? "hit chosen" : "hit"} role="option" aria-selected=${chosen} onClick=${onOpen}>
      <div class="hit-head">
        <span class="hit-title" dir="auto">${hit.title || "New conversation"}</span>
        <time datetime=${hit.created_at} title=${exactly(hit.created_at)}>${ago(hit.created_at)}</time>
      </div>
      <p dir="auto">${hit.highlights.map((piece) => (piece.hit ? html`<mark>${unmarked(piece.text)}</mark>` : unmarked(piece.text)))}</p>
    </li>
  `;
}
