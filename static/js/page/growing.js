/**
 * What of Markdown that is still being written can be shown: no half-made signs, and nothing that is one thing now and
 * another one a moment later. Pure.
 */

/** A line of signs alone may become a list, a heading, a rule, a table's second line, an emphasis: it waits for its words. */
const SIGNS = /^[ \t>]*(?:[-*+][ \t]+\[[ xX]?\]?|[-*+_=#`~|:.)[\]! \t]*\d{0,3}[-*+_=#`~|:.)[\]! \t]*)$/;
/** Where what is emphasised in the lines above cannot go on. */
const ANEW = /^[ \t]*(?:[-*+][ \t]|\d{1,9}[.)][ \t]|#{1,6}[ \t]|\||$)/;
const FENCE = /(?:^|\n)[ \t]*(?:`{1,2}|~{1,2})$/;
const WORD = /[\p{L}\p{N}]/u;
/** So far away, a bracket is a bracket; a longer line is more than signs. */
const LINK = 200;
const LINE = 200;

/** A block of code without what may be the beginning of its end. @param {string} text */
export const growingCode = (text) => text.replace(FENCE, "");

/**
 * A block of anything but code, as it may be shown now: its open marks are closed, and its end is held back where nobody
 * knows yet what it will be.
 *
 * @param {string} raw @param {{table?: boolean}} [known] `table`: it is one already
 */
export function growing(raw, { table = false } = {}) {
  const lines = raw.split("\n");
  const least = table ? 2 : 0;
  if (lines.length > least && lines.at(-1).length <= LINE && SIGNS.test(lines.at(-1))) lines.pop();
  // It may be the head of a table: without its second line it would be a row of bars.
  while (!table && /^[ \t]*\|/.test(lines.at(-1) ?? "")) lines.pop();
  if (lines.length <= least) return lines.join("\n");
  let start = lines.length - 1;
  while (start > 0 && !ANEW.test(lines[start]) && lines[start - 1] !== "") start -= 1;
  const marker = ANEW.exec(lines[start])?.[0] ?? "";
  const before = [...lines.slice(0, start), ""].join("\n") + marker;
  const run = lines.slice(start).join("\n").slice(marker.length);
  const cell = table ? lastBar(run) + 1 : 0;
  return before + run.slice(0, cell) + closed(run.slice(cell));
}

function lastBar(row) {
  let at = row.length;
  do at = row.lastIndexOf("|", at - 1);
  while (at > 0 && row[at - 1] === "\\");
  return at;
}

/** One stretch of text with its open marks closed. */
function closed(text) {
  const open = [];
  let at = 0;
  while (at < text.length) {
    const sign = text[at];
    const run = runAt(text, at);
    if (sign === "\\") at += 2;
    else if (sign === "`") {
      const end = endOfCode(text, at + run.length, run);
      if (end < 0) return openCode(text, at, run, open);
      at = end;
    } else if (sign === "*" || sign === "_" || sign === "~") {
      // Whether it opens or closes, the next letter says.
      if (at + run.length === text.length) return finish(text.slice(0, at), open);
      emphasis(open, run, at, text[at - 1] ?? " ", text[at + run.length]);
      at += run.length;
    } else if (sign === "[") {
      open.push({ mark: "[", at });
      at += 1;
    } else if (sign === "]") {
      const end = endOfLink(text, at);
      if (end === null) return finish(text.slice(0, at), open, { address: text[at + 1] === "(" });
      dropTo(open, "[");
      at = end;
    } else at += 1;
  }
  return finish(text, open);
}

function runAt(text, at) {
  let end = at + 1;
  while (text[end] === text[at]) end += 1;
  return text.slice(at, end);
}

/** Behind the run of backticks that ends a code; -1 where it has not come. */
function endOfCode(text, from, run) {
  for (let at = text.indexOf("`", from); at >= 0; at = text.indexOf("`", at)) {
    const found = runAt(text, at);
    at += found.length;
    // At the very end it may grow still.
    if (found === run) return at;
  }
  return -1;
}

function openCode(text, at, run, open) {
  const code = text.slice(at + run.length).replace(/`+$/, "");
  if (!code.trim()) return finish(text.slice(0, at), open);
  return finish(text.slice(0, at + run.length) + code, [...open, { mark: run, at }], { trim: false });
}

/** Behind a bracket's end, or behind the address that follows; null where that has not come. */
function endOfLink(text, at) {
  if (at + 1 === text.length) return null;
  if (text[at + 1] !== "(") return at + 1;
  let depth = 0;
  for (let end = at + 1; end < text.length && text[end] !== "\n"; end += 1) {
    if (text[end] === "\\") end += 1;
    else if (text[end] === "(") depth += 1;
    else if (text[end] === ")" && --depth === 0) return end + 1;
  }
  return text.indexOf("\n", at) < 0 ? null : at + 1;
}

function emphasis(open, run, at, before, after) {
  const most = run[0] === "~" ? 2 : 3;
  if (run.length > most) return;
  if (!/\s/.test(before) && closes(open, run)) return;
  // Within a word it is a product, or a name: 5*3, some_name.
  if (!/\s/.test(after) && !WORD.test(before)) open.push({ mark: run, at });
}

function closes(open, run) {
  if (dropTo(open, run)) return true;
  const [one, two] = [run[0], run[0].repeat(2)];
  return run.length === 3 && open.some(({ mark }) => mark === one) && dropTo(open, two);
}

/** What stands open since then is no mark. */
function dropTo(open, mark) {
  const at = open.findLastIndex((known) => known.mark === mark);
  if (at >= 0) open.length = at;
  return at >= 0;
}

/** With everything closed that is open; of a link that has no address yet, the words alone. */
function finish(text, open, { address = false, trim = true } = {}) {
  const marks = open.filter(({ mark }) => mark !== "[").map(({ mark }) => mark).reverse().join("");
  const bracket = open.findLast(({ mark }) => mark === "[");
  const shown = trim && (marks || address) ? text.trimEnd() : text;
  // A link without an address has a link's colour already, and goes nowhere.
  if (address && bracket) return `${bare(shown, bracket.at, "[")}]()${marks}`;
  if (!bracket || shown.length - bracket.at > LINK) return shown + marks;
  return bare(shown, bracket.at, "") + marks;
}

function bare(text, at, sign) {
  const picture = text[at - 1] === "!" ? 1 : 0;
  return text.slice(0, at - picture) + sign + text.slice(at + 1);
}
