/** Times as people say them. */

const MINUTE = 60;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const WEEK = 7 * DAY;

const short = new Intl.DateTimeFormat("en", { day: "numeric", month: "short" });
const long = new Intl.DateTimeFormat("en", { dateStyle: "full", timeStyle: "short" });

/** "now", "5 min", "3 h", "2 d", "14 Mar". @param {string} iso @param {Date} [now] */
export function ago(iso, now = new Date()) {
  const seconds = (now - new Date(iso)) / 1000;
  if (seconds < MINUTE) return "now";
  if (seconds < HOUR) return `${Math.floor(seconds / MINUTE)} min`;
  if (seconds < DAY) return `${Math.floor(seconds / HOUR)} h`;
  if (seconds < WEEK) return `${Math.floor(seconds / DAY)} d`;
  return short.format(new Date(iso));
}

/** Under which heading of the list it belongs. @param {string} iso @param {Date} [now] */
export function day(iso, now = new Date()) {
  const midnight = new Date(now).setHours(0, 0, 0, 0);
  const since = (midnight - new Date(iso)) / 1000;
  if (since <= 0) return "Today";
  if (since <= DAY) return "Yesterday";
  return since <= 6 * DAY ? "This week" : "Earlier";
}

export const exactly = (iso) => long.format(new Date(iso));

/** How one greets at this hour. */
export function greeting(hour = new Date().getHours()) {
  if (hour < 5) return "Good night";
  if (hour < 12) return "Good morning";
  return hour < 19 ? "Good afternoon" : "Good evening";
}
