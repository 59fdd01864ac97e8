/**
 * The JavaScript client alone, on Node, without anybody's help: `node node_reader.mjs URL TOKEN CONVERSATION TEXT` follows a
 * conversation, says `text` if there is one, and prints a line of JSON for each thing that a test may want to know.
 */

import { WebSocket } from "ws";

import { Client } from "../../static/js/client/index.js";

const [url, token, id, text] = process.argv.slice(2);
const tell = (kind, more = {}) => console.log(JSON.stringify({ kind, ...more }));

const client = new Client({ url, token, platform: { WebSocket } });
for (const name of ["gap", "mismatch"]) client.on(name, (detail) => tell(name, detail));
client.on("snapshot", () => tell("snapshot"));
client.on("status", ({ phase }) => tell(phase));
client.connect();

const conversation = client.conversation(id);
let begun = false;
conversation.watch(() => {
  const reply = conversation.transcript.messages.findLast(({ role }) => role === "assistant");
  if (!begun && reply?.text) tell("begun");
  begun ||= Boolean(reply?.text);
  if (reply?.status !== "completed") return;
  tell("ended", { text: reply.text });
  client.close();
});
if (text) await conversation.send(text);
