/** How long to wait before the next attempt to connect. */

const FIRST_SECONDS = 0.4;
const LONGEST_SECONDS = 20;

/**
 * Exponential with "equal jitter": at least half of the step, so that a broken server is not hammered, and the rest
 * at random, so that the clients of a restarted one do not come back in one wave.
 *
 * @param {number} attempt failures in a row before this wait, from 0
 * @param {() => number} random in [0, 1)
 * @returns {number} seconds
 */
export function backoff(attempt, random) {
  const step = Math.min(LONGEST_SECONDS, FIRST_SECONDS * 2 ** Math.min(attempt, 16));
  return step / 2 + (step / 2) * random();
}

/** A delay that the server asked for, spread upwards by a fifth: it told everybody else the same. */
export function spread(seconds, random) {
  return seconds * (1 + 0.2 * random());
}
