/** The copy buttons in code. They live in HTML that Markdown made, so one listener serves them all. */

const SHOWN_FOR = 1_600;

/** @param {HTMLElement} page */
export function serveCopyButtons(page) {
  page.addEventListener("click", async (event) => {
    const button = event.target.closest?.(".code-copy");
    if (!button) return;
    const code = button.closest(".code")?.querySelector("pre code");
    if (!code) return;
    await navigator.clipboard.writeText(code.textContent);
    button.textContent = "Copied";
    setTimeout(() => {
      button.textContent = "Copy";
    }, SHOWN_FOR);
  });
}
