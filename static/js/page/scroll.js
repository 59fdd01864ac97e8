/** Where the reader is: with the newest, or somewhere above, where nothing may move under the eyes. */

import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";

const NEAR = 48; // so close to the end counts as being there

const distance = (element) => element.scrollHeight - element.clientHeight - element.scrollTop;

/**
 * @param {{current: HTMLElement}} scroller @param {{current: HTMLElement}} content what grows in it
 * @param {string | undefined} first the first message's id: when it changes, older ones were put before it
 * @param {boolean} live whether what is shown ends with the newest
 */
export function useScroll(scroller, content, first, live = true) {
  const [away, setAway] = useState(false);
  const pinned = useRef(true);
  // The end of an excerpt is not the newest: more comes below it, and one stays where one is.
  const newestIsThere = useRef(live);
  newestIsThere.current = live;
  useAnchor(scroller, content, first, pinned);

  useEffect(() => {
    const room = scroller.current;
    if (!room) return undefined;
    let last = room.scrollTop;
    const scrolled = () => {
      // Only going up leaves the newest: growth and smooth scrolling pass through "not at the end" as well.
      if (newestIsThere.current && distance(room) <= NEAR) pinned.current = true;
      else if (room.scrollTop < last) pinned.current = false;
      last = room.scrollTop;
      setAway(!pinned.current && distance(room) > NEAR);
    };
    const grown = () => {
      if (pinned.current) room.scrollTop = room.scrollHeight;
      setAway(!pinned.current && distance(room) > NEAR);
    };
    const observer = new ResizeObserver(grown);
    observer.observe(content.current);
    observer.observe(room);
    room.addEventListener("scroll", scrolled, { passive: true });
    return () => {
      observer.disconnect();
      room.removeEventListener("scroll", scrolled);
    };
  }, [scroller.current === null]);

  const toNewest = ({ smooth }) => {
    pinned.current = true;
    const room = scroller.current;
    const still = !smooth || matchMedia("(prefers-reduced-motion: reduce)").matches;
    room?.scrollTo({ top: room.scrollHeight, behavior: still ? "instant" : "smooth" });
  };
  const leave = () => {
    pinned.current = false;
  };
  return { away, toNewest, leave };
}

/** Keeps the messages in sight where they are when older ones are put before them. */
function useAnchor(scroller, content, first, pinned) {
  const before = useRef({ first, height: 0 });
  // Rendering has not changed the page yet: what is measured here is how it was.
  if (before.current.first !== first) before.current.height = content.current?.scrollHeight ?? 0;
  useLayoutEffect(() => {
    const known = before.current.first;
    before.current.first = first;
    if (!known || known === first || pinned.current || !scroller.current) return;
    scroller.current.scrollTop += content.current.scrollHeight - before.current.height;
  }, [first]);
}
