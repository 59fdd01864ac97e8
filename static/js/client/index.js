/** Tertulia's JavaScript client: everything that programs other than the page may use. */

export { Client } from "./client.js";
export { Conversation } from "./conversation.js";
export { ChatError, Refused, SignedOut, TimedOut, Unreachable } from "./errors.js";
export { Api } from "./api.js";
export { Http } from "./http.js";
export { Listing } from "./listing.js";
export { apply, blank, hasEnded, hasOlder, inFlight, install, prepend } from "./transcript.js";
