/** Markdown to HTML that may be put into the page: marked makes it, highlight.js colours the code, DOMPurify decides. */

import { Marked } from "marked";
import DOMPurify from "dompurify";
import hljs from "highlight.js";

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

/** Beyond this, colouring would cost more than it shows. */
const COLOURED = 20_000;

const escape = (text) => text.replace(/[&<>"']/g, (sign) => `&#${sign.charCodeAt(0)};`);

const renderer = {
  // Raw HTML in a message is something that was said, not something to obey.
  html: ({ text }) => escape(text),
  // A picture from elsewhere would tell its server who reads this: it becomes a link.
  image: ({ href, text }) => `<a href="${escape(href)}">${escape(text || href)}</a>`,
  checkbox: ({ checked }) => (checked ? "☑ " : "☐ "),
  code: ({ text, lang }) => code(text, (lang ?? "").trim().split(/\s/, 1)[0]),
};

const marked = new Marked({ gfm: true, breaks: true, renderer });

DOMPurify.addHook("afterSanitizeAttributes", (node) => {
  if (node.nodeName !== "A") return;
  node.setAttribute("target", "_blank");
  node.setAttribute("rel", "noopener noreferrer nofollow");
});

function code(text, language) {
  const known = hljs.getLanguage(language);
  const coloured = known && text.length <= COLOURED ? hljs.highlight(text, { language, ignoreIllegals: true }).value : escape(text);
  const label = escape(known?.name ?? language ?? "");
  return (
    `<div class="code"><div class="code-bar"><span class="code-language">${label || "Text"}</span>` +
    `<button type="button" class="code-copy">Copy</button></div>` +
    `<pre tabindex="0"><code class="hljs">${coloured}</code></pre></div>`
  );
}

/**
 * The blocks of a text, each as safe HTML. While a reply streams in only its last block changes, so a view may keep
 * the others as they are; `known` (raw block → HTML) spares making them again.
 *
 * @param {string} text @param {Map<string, string>} [known] filled as it goes @returns {string[]}
 */
export function blocks(text, known = new Map()) {
  const tokens = marked.lexer(text).filter((token) => token.type !== "space");
  return tokens.map((token, index) => {
    const finished = index < tokens.length - 1;
    const html = known.get(token.raw) ?? DOMPurify.sanitize(marked.parser([token]), ALLOWED);
    if (finished) known.set(token.raw, html);
    return html;
  });
}
