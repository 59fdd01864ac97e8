/** The beginning: the server is where the page came from. */

import { render } from "preact";

import { App } from "./app.js";
import { serveCopyButtons } from "./copying.js";
import { Salon } from "./salon.js";
import { html } from "./view.js";

const salon = new Salon(new URL(".", document.baseURI));

/** The conversation that the address names. */
function readRoute() {
  const [, route = null, sought = null] = /^#\/c\/([\w-]+)(?:\/([\w-]+))?$/.exec(location.hash) ?? [];
  salon.set({ route, sought, seeks: salon.state.seeks + 1 });
  salon.read();
}

addEventListener("hashchange", readRoute);
// What other tabs and devices have begun meanwhile.
document.addEventListener("visibilitychange", () => {
  if (document.visibilityState !== "visible") return;
  salon.refresh();
  salon.read();
});

readRoute();
render(html`<${App} salon=${salon} />`, document.getElementById("page"));
serveCopyButtons(document.body);
salon.client.connect();
salon.sendUnsent();
