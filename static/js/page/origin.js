/** Who wrote which part of a reply, and what it came to, in words. Pure. */

const REASONS = {
  worker_lost: "its worker was lost",
  provider_truncated: "broke off",
  provider_timeout_first_token: "did not begin in time",
  provider_timeout_between_tokens: "fell silent",
  provider_rate_limited: "was asked too much",
  provider_overloaded: "had no room",
  provider_unreachable: "could not be reached",
  provider_resting: "rests",
};

/**
 * One line about an answer that more than one provider had to do with; empty for all others.
 *
 * @param {{provider: string, model: string, start: number, end: number, outcome: string}[] | undefined} provenance
 */
export function origin(provenance) {
  if (!provenance || provenance.length < 2) return "";
  return provenance.map(part).join("; ");
}

function part({ provider, model, start, end, outcome }) {
  const who = model ? `${model} (${provider})` : provider;
  const wrote = end > start ? `wrote characters ${start + 1} to ${end}` : "";
  const how = outcome === "completed" || outcome === "cancelled" ? "" : (REASONS[outcome] ?? "failed");
  return `${who} ${[wrote, how].filter(Boolean).join(", then ") || "wrote nothing"}`;
}

/** The price of an answer: "$0.0004"; empty where it is not known. @param {number | null | undefined} cost */
export function price(cost) {
  if (cost === null || cost === undefined) return "";
  return cost < 0.0001 ? (cost === 0 ? "free" : "under $0.0001") : `$${cost.toPrecision(2)}`;
}

/** Arguments as a person reads them; what is no JSON stands as it is. @param {string} text */
export function readable(text) {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}

/** Whether an address may become a link. @param {string} url */
export const linkable = (url) => /^https?:\/\//i.test(url ?? "");
