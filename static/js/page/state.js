/** What the page knows and shows, as it begins. `Salon` replaces it with each change. */

/** @param {{status: object, choice: {provider: string, model: string} | null}} known the connection's, and what was chosen before */
export const beginning = ({ status, choice }) => ({
  route: null,
  /** The message that somebody wants to see, in the conversation of the route. */
  sought: null,
  /** How often the address was read: what is sought may be sought again. */
  seeks: 0,
  lookedFor: null,
  conversations: [],
  next: null,
  /** Whether the list shows what was put away, and where that goes on. */
  archive: false,
  nextArchived: null,
  /** The conversation that was deleted or left last, here or elsewhere. */
  gone: null,
  loaded: false,
  models: [],
  characters: [],
  status,
  /** What the next new conversation begins with. */
  choice,
  character: null,
  /** The reply that we have asked to stop, last. */
  stopping: null,
  notice: null,
  /** Words of a message that could not be sent, on their way back to the message box: `{conversation, text}`. */
  givenBack: null,
});
