/** Light or dark: as the system says, until somebody says otherwise. */

import { useState } from "preact/hooks";

import { Icon } from "./icons.js";
import { recall, remember } from "./storage.js";
import { html, useMedia } from "./view.js";

export function Appearance() {
  const systemDark = useMedia("(prefers-color-scheme: dark)");
  const [chosen, setChosen] = useState(() => recall("theme"));
  const dark = chosen ? chosen === "dark" : systemDark;
  const toggle = () => {
    const theme = dark ? "light" : "dark";
    // Going back to what the system says is following the system again.
    const kept = (theme === "dark") === systemDark ? null : theme;
    remember("theme", kept);
    if (kept) document.documentElement.dataset.theme = kept;
    else delete document.documentElement.dataset.theme;
    setChosen(kept);
  };
  const label = dark ? "Switch to light" : "Switch to dark";
  return html`<button class="icon-button appearance" aria-label=${label} title=${label} onClick=${toggle}><${Icon} name=${dark ? "sun" : "moon"} /></button>`;
}
