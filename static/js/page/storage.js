/** What this browser remembers. Where storage is forbidden, it is remembered until the page is left. */

const PREFIX = "tertulia.";
const fallback = new Map();

function attempt(work, otherwise) {
  try {
    return work();
  } catch (error) {
    if (error instanceof DOMException) return otherwise();
    throw error;
  }
}

/** @returns {string | null} */
export function recall(name) {
  return attempt(() => localStorage.getItem(PREFIX + name), () => fallback.get(name) ?? null);
}

/** The names that begin so. @param {string} prefix @returns {string[]} */
export function names(prefix) {
  const all = attempt(() => Object.keys(localStorage), () => [...fallback.keys()].map((name) => PREFIX + name));
  return all.filter((name) => name.startsWith(PREFIX + prefix)).map((name) => name.slice(PREFIX.length));
}

/** @param {string | null} value null or "" forgets it */
export function remember(name, value) {
  const store = () => (value ? localStorage.setItem(PREFIX + name, value) : localStorage.removeItem(PREFIX + name));
  attempt(store, () => fallback.set(name, value || null));
}
