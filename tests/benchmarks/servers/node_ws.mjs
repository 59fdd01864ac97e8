// Another server: Node's `ws`, sending to every client. Prints its port; takes `go COUNT INTERVAL`.

import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { WebSocketServer } from 'ws';

const FRAME = process.argv[2];
const say = (said) => process.stdout.write(`${JSON.stringify(said)}\n`);

const server = new WebSocketServer({ host: '127.0.0.1', port: 0, perMessageDeflate: false });
server.on('listening', () => say({ port: server.address().port, version: process.version }));

const input = createInterface({ input: process.stdin });
input.on('close', () => process.exit());
input.on('line', async (line) => {
  const [, count, interval] = line.split(' ').map(Number);
  const began = performance.now();
  for (let n = 0; n < count; n += 1) {
    await sleep(Math.max(0, began + n * interval * 1000 - performance.now()));
    for (const client of server.clients) client.send(FRAME);
  }
  say({ sent: count });
});
