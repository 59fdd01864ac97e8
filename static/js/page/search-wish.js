/** What the search asks of the server, out of what was chosen beside the box. Pure. */

const DAY = 86_400_000;

/** Nothing chosen: everything, the best first. */
export const anything = Object.freeze({ who: "", days: "", since: "", until: "", language: "", topic: "", order: "", here: false });

/** Midnight of a day as `<input type="date">` gives it, where the visitor is, so many days later. */
function midnight(day, later = 0) {
  const [year, month, date] = day.split("-").map(Number);
  return new Date(year, month - 1, date + later).toISOString();
}

/**
 * The parameters of `GET /v1/search`, without `q`, `limit` and `offset`; what is undefined is not asked.
 *
 * @param {typeof anything} chosen @param {{now: Date, me: string | null, route: string | null}} about
 */
export function wish({ who, days, since, until, language, topic, order, here }, { now, me, route }) {
  const own = days === "between";
  const past = days && !own ? new Date(now - days * DAY).toISOString() : undefined;
  return {
    role: who === "user" || who === "assistant" ? who : undefined,
    user: who === "me" ? (me ?? undefined) : undefined,
    from: own ? (since ? midnight(since) : undefined) : past,
    // The last day is meant whole.
    to: own && until ? midnight(until, 1) : undefined,
    language: language || undefined,
    topic: topic.trim().toLowerCase() || undefined,
    order: order || undefined,
    conversation: here && route ? route : undefined,
  };
}
