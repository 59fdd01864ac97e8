/**
 * Positions on the wire count Unicode code points; JavaScript's strings count UTF-16 units. These functions stand
 * between the two, without ever spreading a long text into an array.
 */

const isLead = (unit) => unit >= 0xd800 && unit <= 0xdbff;
const isTrail = (unit) => unit >= 0xdc00 && unit <= 0xdfff;

/** How many code points `text` has. A lone surrogate counts as one, as it does for a string's iterator. */
export function codePoints(text) {
  let pairs = 0;
  for (let i = 1; i < text.length; i += 1) {
    if (isTrail(text.charCodeAt(i)) && isLead(text.charCodeAt(i - 1))) {
      pairs += 1;
      i += 1;
    }
  }
  return text.length - pairs;
}

/** The first `count` code points of `text`; all of it when it has fewer. */
export function firstCodePoints(text, count) {
  let unit = 0;
  for (let seen = 0; seen < count && unit < text.length; seen += 1) {
    unit += isLead(text.charCodeAt(unit)) && isTrail(text.charCodeAt(unit + 1)) ? 2 : 1;
  }
  return text.slice(0, unit);
}

/**
 * `text[:at] + added`, in code points. `length` is the code points of `text`, tracked by the caller, so that the
 * usual case (appending at the end) costs only what is added.
 *
 * @returns {{text: string, length: number} | null} null when `at` lies beyond the end: something is missing
 */
export function writeAt(text, length, at, added) {
  if (at > length) return null;
  const kept = at === length ? text : firstCodePoints(text, at);
  return { text: kept + added, length: at + codePoints(added) };
}
