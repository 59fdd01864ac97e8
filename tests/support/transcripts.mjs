// Plays what a client was told, a line of JSON for each client, and writes what its transcript shows.

import { createInterface } from "node:readline";

import { apply, blank, install } from "../../static/js/client/transcript.js";

for await (const line of createInterface({ input: process.stdin })) {
  const { subscribed, events } = JSON.parse(line);
  let transcript = install(blank, subscribed);
  for (const event of events) {
    const { transcript: next, verdict } = apply(transcript, event);
    if (verdict !== "applied") throw new Error(`${verdict}: ${JSON.stringify(event)}`);
    transcript = next;
  }
  const messages = transcript.messages.map((message) => ({ retracted: false, archived: false, turns: 0, siblings: [], ...message }));
  process.stdout.write(`${JSON.stringify({ messages, missing: transcript.missing, head: transcript.head })}\n`);
}
