/** What is going on, in words. Pure: the views give it what they know. */

import { price } from "./origin.js";

const CODE_POINTS_PER_TOKEN = 4; // about right for prose in the languages of Europe

/**
 * What the line above the composer says.
 *
 * @param {object} known
 * @param {{phase: string, attempt: number, retryAt: number | null, reason: string | null}} known.status the connection's, with `attempt` failures in a row
 * @param {boolean} known.troubled the connection has been away long enough to be worth a word
 * @param {object} [known.reply] the reply in flight
 * @param {boolean} [known.sending] a message of ours is on its way
 * @param {boolean} [known.stopping] we have asked for a stop
 * @param {number | null} [known.rate] tokens a second, about
 * @param {boolean} [known.silent] nothing was written for a while
 * @param {number} [known.typing] how many others type
 * @param {number} known.now of the clock of `retryAt`
 * @returns {{kind: "rest" | "work" | "trouble", text: string}}
 */
export function activity({ status, troubled, reply, sending, stopping, rate, silent, typing, now }) {
  if (troubled || status.phase === "refused") return { kind: "trouble", text: connection(status, now) };
  if (reply) return { kind: "work", text: stopping ? "Stopping" : progress(reply, rate, silent) };
  if (sending) return { kind: "work", text: "Sending" };
  return { kind: "rest", text: typists(typing) };
}

/** How many others type, in words; nothing, where nobody does. @param {number} [number] */
export function typists(number = 0) {
  if (!number) return "";
  return number === 1 ? "Somebody is typing" : `${number} people are typing`;
}

function connection({ phase, attempt, retryAt, reason }, now) {
  if (phase === "offline") return "Offline. What you write is sent when you are back.";
  if (phase === "refused") return reason ?? "The server refuses the connection.";
  if (phase === "connecting" && attempt === 0) return "Connecting";
  const seconds = retryAt === null ? 0 : Math.ceil((retryAt - now) / 1000);
  return seconds > 0 ? `Reconnecting in ${seconds} s` : "Reconnecting";
}

const STAGES = {
  context: "Reading the conversation",
  waiting: "Waiting for the model",
  started: "Waiting for the model",
  thinking: "Thinking",
  restarted: "Taking the reply up again",
  delayed: "Catching up",
};

function progress(reply, rate, silent) {
  if (reply.status === "queued" && !STAGES[reply.stage]) {
    // After a reload the place is not known any more.
    if (!reply.position) return "In the queue";
    return reply.position > 1 ? `Queued at place ${reply.position}` : "Next in the queue";
  }
  if (reply.text && reply.stage !== "restarted") return silent ? "Waiting for more" : rate ? `Writing · ${rate} tokens/s` : "Writing";
  return STAGES[reply.stage] ?? "Waiting for the model";
}

/** Tokens a second, about; null before there is enough to tell. */
export function rate(codePoints, milliseconds) {
  return milliseconds < 400 || codePoints < 20 ? null : Math.round(codePoints / CODE_POINTS_PER_TOKEN / (milliseconds / 1000));
}

/** The line under a finished reply: "gpt-5-mini · 42 tokens · 1.3 s · $0.0040". */
export function summary({ model, provenance, usage, cost, timing, status }) {
  const { output, exact } = usage ?? spent(provenance);
  const parts = [];
  if (model) parts.push(model);
  if (output) parts.push(`${exact ? "" : "about "}${output} tokens`);
  if (timing?.total_ms) parts.push(seconds(timing.total_ms));
  if (price(cost)) parts.push(price(cost));
  if (status === "cancelled") parts.push("stopped");
  return parts.join(" · ");
}

/** An earlier server told of a reply's parts alone. @param {{usage?: {output: number, exact: boolean}}[]} [parts] */
function spent(parts = []) {
  const usages = parts.flatMap(({ usage }) => usage ?? []);
  return { output: usages.reduce((sum, { output }) => sum + output, 0), exact: usages.every(({ exact }) => exact) };
}

const seconds = (milliseconds) => `${(milliseconds / 1000).toFixed(milliseconds < 10_000 ? 1 : 0)} s`;

const REASONS = {
  provider_unreachable: "The model's server cannot be reached.",
  provider_unauthorized: "The model's server did not accept our key. Whoever runs this server can mend that.",
  provider_rate_limited: "The model is asked too much at the moment. In a minute it should go again.",
  provider_overloaded: "The model is overloaded at the moment.",
  provider_refused: "The model's server refused this conversation.",
  provider_unknown: "The provider of this model is not configured here any more. Choose another one below.",
  provider_unknown_model: "The model's server does not know this model. Choose another one below.",
  provider_truncated: "The reply broke off in the middle.",
  provider_malformed: "The model's server answered with something that makes no sense.",
  provider_unsupported: "This model cannot do what was asked for. Choose another one below.",
  provider_resting: "This model failed several times just now and is left alone for a moment. Choose another one below, or wait.",
  provider_timeout: "The model took too long.",
  provider_timeout_connect: "The model's server could not be reached in time.",
  provider_timeout_first_token: "The model took too long to begin.",
  provider_timeout_between_tokens: "The model fell silent in the middle.",
  provider_timeout_whole: "The reply took longer than is allowed.",
  internal: "Something went wrong on our side.",
};

/** Why a reply failed, as a helpful sentence. @param {{code?: string, detail?: string} | null} error */
export function explain(error) {
  return REASONS[error?.code] ?? error?.detail ?? "The reply did not come about.";
}

/** Who is here beside oneself: "1 other here", or nothing. @param {{users: readonly string[], count: number}} company */
export function others({ users, count }, me) {
  const number = count - (me === null || count > users.length || users.includes(me) ? 1 : 0);
  return number > 0 ? `${number} ${number === 1 ? "other" : "others"} here` : "";
}
