// Copies the page's libraries out of node_modules into static/vendor/ (which git ignores), each with its licence.
// There is no build step: the import map in index.html names these files.

import { copyFile, mkdir, readFile, rm } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const target = path.join(root, "static", "vendor");

/** Package → the files of it that are served, and the names they are served under. */
const wanted = {
  preact: { "dist/preact.mjs": "preact.mjs", "hooks/dist/hooks.mjs": "preact-hooks.mjs" },
  htm: { "dist/htm.mjs": "htm.mjs" },
  marked: { "lib/marked.esm.js": "marked.mjs" },
  dompurify: { "dist/purify.es.mjs": "dompurify.mjs" },
  "@highlightjs/cdn-assets": { "es/highlight.min.js": "highlight.mjs" },
  "swagger-ui-dist": { "swagger-ui-bundle.js": "swagger-ui-bundle.js", "swagger-ui.css": "swagger-ui.css" },
};

await rm(target, { recursive: true, force: true });
await mkdir(path.join(target, "licenses"), { recursive: true });

const versions = [];
for (const [name, files] of Object.entries(wanted)) {
  const home = path.join(root, "node_modules", name);
  const { version } = JSON.parse(await readFile(path.join(home, "package.json"), "utf8"));
  for (const [from, to] of Object.entries(files)) await copyFile(path.join(home, from), path.join(target, to));
  const plain = name.replace("@", "").replace("/", "-");
  await copyFile(path.join(home, "LICENSE"), path.join(target, "licenses", `${plain}.txt`));
  versions.push(`${name} ${version}`);
}
console.log(`static/vendor: ${versions.join(", ")}`);
