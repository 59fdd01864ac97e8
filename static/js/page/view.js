/** The bits of preact and htm that every view uses, and the two ways in which a view watches the world. */

import { h } from "preact";
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import htm from "htm";

export const html = htm.bind(h);

/** Renders again when the store changes. */
export function useStore(store) {
  const [state, setState] = useState(store.state);
  useLayoutEffect(() => {
    setState(store.state);
    return store.subscribe(setState);
  }, [store]);
  return state;
}

/**
 * What `select` makes of a conversation, looked at no more than once in an animation frame, however many tokens come;
 * the view renders again only when the outcome is another. With `only`, another message's news is not looked at.
 */
export function useWatched(conversation, select, only = null) {
  const [value, setValue] = useState(() => select(conversation));
  const latest = useRef(select);
  latest.current = select;
  useLayoutEffect(() => {
    let frame = null;
    const look = () => {
      frame = null;
      setValue(latest.current(conversation));
    };
    const stop = conversation.watch((changed) => {
      if (only === null || changed === null || changed === only) frame ??= requestAnimationFrame(look);
    });
    look();
    return () => {
      stop();
      cancelAnimationFrame(frame);
    };
  }, [conversation, only]);
  return value;
}

/** Whether a key is for the choice of a word, in Japanese say, and not for us. Safari says so by the number alone. */
export const isComposing = (event) => event.isComposing || event.keyCode === 229;

/** Whether a media query matches, live. */
export function useMedia(query) {
  const [matches, setMatches] = useState(() => matchMedia(query).matches);
  useEffect(() => {
    const media = matchMedia(query);
    const change = () => setMatches(media.matches);
    media.addEventListener("change", change);
    return () => media.removeEventListener("change", change);
  }, [query]);
  return matches;
}

/** Renders again every `milliseconds` while `active`. @returns {number} the time of the last one */
export function useClock(milliseconds, active = true) {
  const [now, setNow] = useState(() => performance.now());
  useEffect(() => {
    if (!active) return undefined;
    const timer = setInterval(() => setNow(performance.now()), milliseconds);
    return () => clearInterval(timer);
  }, [milliseconds, active]);
  return now;
}
