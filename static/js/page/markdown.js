/**
 * Markdown to parts that may be put into the page: marked makes their HTML, highlight.js colours the code, DOMPurify decides.
 */

import { Marked } from "marked";
import DOMPurify from "dompurify";
import hljs from "highlight.js";

import { growing, growingCode } from "./growing.js";

const ALLOWED = {
  ALLOWED_TAGS: (
    "p br strong em del code pre span div button ul ol li blockquote h1 h2 h3 h4 h5 h6 hr a " +
    "table thead tbody tr th td sup sub"
  ).split(" "),
  ALLOWED_ATTR: ["href", "title", "class", "start", "align", "type", "tabindex"],
  ALLOW_DATA_ATTR: false,
  ALLOW_ARIA_ATTR: false,
  // Every attribute's value must look like this, but for those that are known to hold no address.
  ALLOWED_URI_REGEXP: /^(?:https?|mailto):/i,
  ADD_URI_SAFE_ATTR: ["start", "align", "type", "tabindex"],
};

/** Beyond this, colouring it at once would cost more than it shows. */
const COLOURED = 20_000;
/** So many lines of growing code, or of very long code, are coloured by themselves: a new one does not colour all of it anew. */
const LINES = 40;

const escape = (text) => text.replace(/[&<>"']/g, (sign) => `&#${sign.charCodeAt(0)};`);

const renderer = {
  // Raw HTML in a message is something that was said, not something to obey.
  html: ({ text }) => escape(text),
  // A picture from elsewhere would tell its server who reads this: it becomes a link.
  image: ({ href, text }) => `<a href="${escape(href)}">${escape(text || href)}</a>`,
  checkbox: ({ checked }) => `<span class="check">${checked ? "☑" : "☐"}</span> `,
  code: ({ text, lang }) => (text.trim() ? code(text, languageOf(lang)) : ""),
};

const marked = new Marked({ gfm: true, breaks: true, renderer });

DOMPurify.addHook("afterSanitizeAttributes", (node) => {
  if (node.nodeName !== "A") return;
  node.setAttribute("target", "_blank");
  node.setAttribute("rel", "noopener noreferrer nofollow");
});

const safe = (html) => DOMPurify.sanitize(html, ALLOWED);

const languageOf = (info) => (info ?? "").trim().split(/\s/, 1)[0];

const labelOf = (language) => hljs.getLanguage(language)?.name ?? (language || "Text");

function coloured(text, language) {
  const known = hljs.getLanguage(language) && text.length <= COLOURED;
  return known ? hljs.highlight(text, { language, ignoreIllegals: true }).value : escape(text);
}

/** Code within something else, a list say. */
function code(text, language) {
  return (
    `<div class="code"><div class="code-bar"><span class="code-language">${escape(labelOf(language))}</span>` +
    `<button type="button" class="code-copy">Copy</button></div>` +
    `<pre tabindex="0"><code class="hljs">${coloured(text, language)}</code></pre></div>`
  );
}

/**
 * @typedef {object} Part a block: one of `{kind: "text", html}`, `{kind: "list", ordered, start, items}`, `{kind: "table",
 *   head, rows}` and `{kind: "code", label, pieces}`; items, head, rows and pieces are the HTML within an element.
 */

/**
 * Sets one text, also while it grows: what is finished is made once and stays the same object, and of a list, a table or a
 * block of code only the last piece is made again.
 */
export class Typesetter {
  /** HTML by what it is made of: of this setting, and of the one before; what neither has used is let go. */
  #made = new Map();
  #before = new Map();
  /** The parts that cannot change any more, where they end, and the text that this holds for. */
  #firm = [];
  #end = 0;
  #text = "";

  /** @param {string} text @param {boolean} [live] more of it comes: half-made signs are not shown @returns {Part[]} */
  set(text, live = false) {
    if (!text.startsWith(this.#text.slice(0, this.#end))) this.#forget();
    this.#text = text;
    [this.#before, this.#made] = [this.#made, new Map()];
    let tokens = marked.lexer(text.slice(this.#end));
    // A link's target, given at the end, may change an earlier block.
    if (!live && this.#end && tokens.some(({ type }) => type === "def")) {
      this.#forget();
      tokens = marked.lexer(text);
    }
    const firm = live ? this.#settle(tokens) : 0;
    const rest = tokens.slice(firm);
    const last = live ? rest.pop() : null;
    const parts = [...this.#firm, ...rest.map((token) => this.#part(token)), ...(last ? this.#growing(last) : [])].filter(Boolean);
    // What has no sign of its own on paper is shown as it was said.
    return parts.length || live ? parts : [{ kind: "text", html: `<p>${escape(text)}</p>` }];
  }

  #forget() {
    this.#made.clear();
    this.#before.clear();
    this.#firm = [];
    this.#end = 0;
  }

  /** Keeps what comes before the last two blocks. @returns {number} how many tokens that are */
  #settle(tokens) {
    const blocks = tokens.flatMap(({ type }, at) => (type === "space" ? [] : [at]));
    const firm = blocks.at(-2) ?? 0;
    let end = this.#end;
    for (const { raw } of tokens.slice(0, firm)) {
      // marked has its own idea of ends of lines.
      if (!this.#text.startsWith(raw, end)) return 0;
      end += raw.length;
    }
    this.#firm.push(...tokens.slice(0, firm).map((token) => this.#part(token)));
    this.#end = end;
    return firm;
  }

  /** What can be shown of the block that grows. */
  #growing(token) {
    if (token.type === "space") return [];
    if (token.type === "code") return [this.#part({ ...token, text: growingCode(token.text) }, true)];
    if (deepest(token).type === "code") return [this.#part(token)];
    const shown = growing(token.raw, { table: token.type === "table" });
    const tokens = shown === token.raw ? [token] : marked.lexer(shown);
    return tokens.map((known) => this.#part(known));
  }

  /** @returns {Part | null} */
  #part(token, grows = false) {
    if (token.type === "space" || token.type === "def") return null;
    if (token.type === "code") return this.#code(token, grows);
    if (token.type === "list") return this.#list(token);
    if (token.type === "table") return this.#table(token);
    return { kind: "text", html: this.#once(token.raw, () => marked.parser([token])) };
  }

  #code({ text, lang }, grows) {
    if (!text.trim()) return null;
    const language = languageOf(lang);
    const lines = text.split("\n");
    const pieces = [];
    const size = grows || text.length > COLOURED ? LINES : lines.length;
    for (let at = 0; at < lines.length; at += size) {
      const piece = lines.slice(at, at + size).join("\n") + (at + size < lines.length ? "\n" : "");
      pieces.push(this.#once(`${language} ${piece}`, () => `<code>${coloured(piece, language)}</code>`, "code"));
    }
    return { kind: "code", label: labelOf(language), pieces };
  }

  #list(token) {
    const items = token.items.map((item) =>
      this.#once(`${token.loose}${item.raw}`, () => marked.parser([{ ...token, items: [item] }]), "li"),
    );
    return { kind: "list", ordered: token.ordered, start: token.ordered && token.start !== 1 ? token.start : null, items };
  }

  #table(token) {
    const row = (cells, made, name) => this.#once(`${name} ${token.align} ${cells.map(({ text }) => text).join("|")}`, made, "tr");
    const head = row(token.header, () => marked.parser([{ ...token, rows: [] }]), "head");
    const rows = token.rows.map((cells) => row(cells, () => `<table>${/<tbody>.*<\/tbody>/s.exec(marked.parser([{ ...token, rows: [cells] }]))}</table>`, "row"));
    return { kind: "table", head, rows };
  }

  /** HTML that may be shown, made once; with `element`, what is within the outermost one of that name. */
  #once(source, make, element = "") {
    const key = `${element} ${source}`;
    let html = this.#made.get(key) ?? this.#before.get(key);
    if (html === undefined) {
      const whole = safe(make());
      html = element ? within(whole, element) : whole;
    }
    this.#made.set(key, html);
    return html;
  }
}

function within(html, element) {
  const begin = html.indexOf(">", html.indexOf(`<${element}`)) + 1;
  return html.slice(begin, html.lastIndexOf(`</${element}>`));
}

/** Where the text goes on: the last piece of the last piece. */
function deepest(token) {
  const inner = (token.items ?? token.tokens)?.findLast(({ type }) => type !== "space");
  return inner ? deepest(inner) : token;
}
