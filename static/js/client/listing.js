/**
 * One's list of conversations, live: a topic of one's own, followed on the same socket. Made by `client.listing()`,
 * once the server has said who one is.
 */

export class Listing {
  /** @param {import("./client.js").Client} client @param {string} user */
  constructor(client, user) {
    this.client = client;
    this.id = `list:${user}`;
    this.position = null;
    this.watchers = new Set();
  }

  /**
   * Calls `listener` with what is new: `{conversations, next}` (the first page, instead of what was known of it),
   * `{changed}` (one line, as it is now) or `{removed}` (the id of one that is gone).
   *
   * @param {(news: object) => void} listener @returns {() => void} ends it
   */
  watch(listener) {
    this.watchers.add(listener);
    if (this.watchers.size === 1) this.client.follow(this, this.position);
    return () => {
      this.watchers.delete(listener);
      if (this.watchers.size === 0) this.client.unfollow(this);
    };
  }

  // What the client passes on.

  receive(frame) {
    if (frame.type === "subscribed") {
      this.#stand(frame.epoch, frame.recovered ? this.position.offset : frame.offset);
      if (frame.snapshot) this.#tell(frame.snapshot);
      return;
    }
    if (frame.offset === undefined) return;
    this.#stand(this.position?.epoch ?? null, frame.offset);
    if (frame.type === "list.changed") this.#tell({ changed: frame.item });
    if (frame.type === "list.removed") this.#tell({ removed: frame.item });
  }

  interrupted() {}

  /** A list that cannot be followed can still be asked for. */
  lost() {}

  #stand(epoch, offset) {
    this.position = { epoch, offset };
    this.client.mark({ id: this.id, transcript: this.position });
  }

  #tell(news) {
    for (const listener of [...this.watchers]) listener(news);
  }
}
