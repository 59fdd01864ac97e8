/** What to do after a socket closed: the table of close codes in docs/protocol.md. */

/**
 * @typedef {object} Advice
 * @property {boolean} reconnect
 * @property {number} [after] seconds, where the code says so; otherwise backoff
 * @property {boolean} [renew] the token is wrong: get a new one first
 * @property {boolean} [oversized] the frame that was too large must not be sent again
 * @property {string} [reason] why coming back would not help
 */

/** @type {Record<number, Advice>} */
const TABLE = {
  1009: { reconnect: true, after: 0, oversized: true },
  4400: { reconnect: false, reason: "The server did not understand this page. Reloading it may help." },
  4401: { reconnect: true, renew: true },
  4403: { reconnect: false, reason: "The server does not allow connections from this address." },
  4429: { reconnect: true, after: 30 },
};

/** Everything that is not in the table is the network, a restart, or a server in trouble: come back, with backoff. */
const OTHERWISE = { reconnect: true };

/** @param {number} code @returns {Advice} */
export function adviceFor(code) {
  return TABLE[code] ?? OTHERWISE;
}
