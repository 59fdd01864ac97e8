/**
 * What the surroundings tell of the network and of sleep, in a browser or a worker; where they tell nothing, as in Node,
 * nothing is heard. A page that comes back from the cache, into sight, or out of a freeze may have slept for hours.
 */

/**
 * @param {{addEventListener?: Function} | undefined} target usually `globalThis`
 * @param {{online: () => void, offline: () => void, woken: () => void}} tell
 * @returns {() => void} ends it
 */
export function listenTo(target, { online, offline, woken }) {
  const { document } = target ?? {};
  const stops = [];
  const on = (source, name, listener) => {
    if (typeof source?.addEventListener !== "function") return;
    source.addEventListener(name, listener);
    stops.push(() => source.removeEventListener(name, listener));
  };
  on(target, "online", online);
  on(target, "offline", offline);
  on(target, "pageshow", (event) => event.persisted && woken());
  on(document, "resume", woken);
  on(document, "visibilitychange", () => document.visibilityState === "visible" && woken());
  return () => stops.splice(0).forEach((stop) => stop());
}
