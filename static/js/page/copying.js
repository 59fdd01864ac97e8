/** Copy buttons. Those in code live in HTML that Markdown made, so one listener serves them all. */

import { useState } from "preact/hooks";

const SHOWN_FOR = 1_600;

/**
 * Copies a text. Browsers have the clipboard for secure pages alone (https, or this very machine); elsewhere the old way is
 * left, by a selection.
 *
 * @param {string} text @returns {Promise<boolean>} whether it was copied
 */
async function copyText(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return copySelected(text);
  }
}

function copySelected(text) {
  const before = document.activeElement;
  const field = Object.assign(document.createElement("textarea"), { value: text, readOnly: true });
  field.style.cssText = "position: fixed; opacity: 0";
  document.body.append(field);
  field.select();
  const copied = document.execCommand("copy");
  field.remove();
  before?.focus({ preventScroll: true });
  return copied;
}

/** For a button that copies a text: whether it has just done so, and what does it. @returns {[boolean, () => Promise<void>]} */
export function useCopy(text, salon) {
  const [copied, setCopied] = useState(false);
  const copy = async () => {
    if (!(await copyText(text))) return salon.notify("This browser does not let the page copy.");
    setCopied(true);
    return setTimeout(() => setCopied(false), SHOWN_FOR);
  };
  return [copied, copy];
}

/** @param {HTMLElement} page */
export function serveCopyButtons(page) {
  page.addEventListener("click", async (event) => {
    const button = event.target.closest?.(".code-copy");
    if (!button) return;
    const code = button.closest(".code")?.querySelector("pre code");
    if (!code) return;
    button.textContent = (await copyText(code.textContent)) ? "Copied" : "Not copied";
    setTimeout(() => {
      button.textContent = "Copy";
    }, SHOWN_FOR);
  });
}
