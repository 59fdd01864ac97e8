/** The copy buttons in code. They live in HTML that Markdown made, so one listener serves them all. */

const SHOWN_FOR = 1_600;

/**
 * Copies a text. Browsers have the clipboard for secure pages alone (https, or this very machine); elsewhere the old way is
 * left, by a selection.
 *
 * @param {string} text @returns {Promise<boolean>} whether it was copied
 */
export async function copyText(text) {
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
