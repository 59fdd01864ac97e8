/** Who the visitor is: a token kept in this browser; a guest's, made on the first visit, where guests are welcome. */

import { Refused, SignedOut } from "../client/index.js";
import { recall, remember } from "./storage.js";

export class Identity {
  /** @param {() => import("../client/index.js").Api} api looked up late: the client needs us first */
  constructor(api) {
    this.api = api;
    this.asking = null;
    /** Whether the token that was shown last was not accepted. */
    this.refused = false;
    this.shown = null;
  }

  /** The token; another one than `refused`, if that is given. @throws {SignedOut} when guests are not welcome */
  async token(refused) {
    const known = recall("token");
    if (known && known !== refused) return known; // perhaps another tab has renewed it already
    this.refused = refused !== undefined && refused === this.shown;
    this.asking ??= this.#guest(refused).finally(() => {
      this.asking = null;
    });
    return this.asking;
  }

  /** Takes the token that a person has pasted. */
  use(token) {
    this.shown = token.trim();
    remember("token", this.shown);
  }

  async #guest(refused) {
    try {
      const { token } = await this.api().guest();
      // Of two tabs that come at once, one is the guest, and the other is the same one.
      const meanwhile = recall("token");
      if (meanwhile && meanwhile !== refused) return meanwhile;
      remember("token", token);
      return token;
    } catch (error) {
      if (error instanceof Refused && [401, 403, 404].includes(error.status)) throw new SignedOut();
      throw error;
    }
  }
}
