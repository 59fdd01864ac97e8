/** The page's model: the client, the list of conversations, what can be chosen, and the verbs of the page. */

import { ChatError, Client, SignedOut } from "../client/index.js";
import { Identity } from "./identity.js";
import { recall, remember } from "./storage.js";

const PAGE = 40;

const byLatest = (a, b) => (b.updated_at ?? b.created_at).localeCompare(a.updated_at ?? a.created_at);

export class Salon {
  /** @param {string | URL} url the server's address */
  constructor(url) {
    this.identity = new Identity(() => this.client.api);
    this.client = new Client({ url, token: (refused) => this.identity.token(refused) });
    this.subscribers = new Set();
    this.state = {
      route: null,
      /** The message that somebody wants to see, in the conversation of the route. */
      sought: null,
      lookedFor: null,
      conversations: [],
      next: null,
      loaded: false,
      models: [],
      characters: [],
      status: this.client.status,
      /** What the next new conversation begins with. */
      choice: JSON.parse(recall("choice") ?? "null"),
      character: null,
      /** The reply that we have asked to stop, last. */
      stopping: null,
      notice: null,
    };
    this.client.on("status", (status) => this.#statusChanged(status));
    this.client.on("event", (event) => this.#heard(event));
    this.client.on("snapshot", ({ conversation }) => this.#lookUp(conversation));
  }

  subscribe(listener) {
    this.subscribers.add(listener);
    return () => this.subscribers.delete(listener);
  }

  set(changes) {
    this.state = { ...this.state, ...changes };
    for (const listener of [...this.subscribers]) listener(this.state);
  }

  /** Shows a sentence about something that went wrong; null takes it away. */
  notify(notice) {
    this.set({ notice });
  }

  /** Loads the list and what can be chosen, each for itself. What is shown stays in sight meanwhile. */
  async refresh() {
    const { api } = this.client;
    const load = (fetch, use) => this.attempt(async () => use(await fetch()), { quiet: true });
    await Promise.all([
      load(
        () => api.conversations({ limit: PAGE }),
        ({ items, next }) => this.set({ conversations: items.sort(byLatest), next, loaded: true }),
      ),
      load(() => api.models(), ({ items }) => this.set({ models: items })),
      load(() => api.characters({ limit: 200 }), ({ items }) => this.set({ characters: items })),
    ]);
  }

  async loadMore() {
    await this.attempt(async () => {
      const { items, next } = await this.client.api.conversations({ after: this.state.next, limit: PAGE });
      const known = new Set(this.state.conversations.map(({ id }) => id));
      this.set({ conversations: [...this.state.conversations, ...items.filter(({ id }) => !known.has(id))], next });
    });
  }

  /** Its title and settings as they are now. A snapshot does not tell what changed before it was taken. */
  async #lookUp(id) {
    const found = await this.attempt(() => this.client.api.conversation(id), { quiet: true });
    if (!found) return;
    const others = this.state.conversations.filter((known) => known.id !== id);
    const known = this.find(id);
    this.set({ conversations: [...others, { ...known, ...found }].sort(byLatest) });
  }

  /** What the server says of the list, as it happens. */
  #listed(news) {
    if (news.removed) this.#forget(news.removed);
    else if (news.changed) this.#place(news.changed);
    else {
      const known = new Set(news.conversations.map(({ id }) => id));
      const oldest = news.next ? news.conversations.at(-1) : null;
      // Older pages that were loaded stay; what is not on the first page, but would have to be, is gone.
      const older = oldest ? this.state.conversations.filter((item) => !known.has(item.id) && byLatest(oldest, item) <= 0) : [];
      const next = older.length ? this.state.next : news.next;
      this.set({ conversations: [...news.conversations, ...older].sort(byLatest), next, loaded: true });
    }
    this.read();
  }

  /** A line of the list, as it is now; our own clock may have put it a little higher already. */
  #place(item) {
    const others = this.state.conversations.filter(({ id }) => id !== item.id);
    this.set({ conversations: item.archived ? others : [...others, item].sort(byLatest) });
  }

  /** What is in sight is read. */
  read() {
    const item = this.find(this.state.route);
    if (!item?.unread || document.visibilityState !== "visible" || this.reading === item.last_seq) return;
    this.reading = item.last_seq;
    this.#merge(item.id, { unread: 0 });
    this.attempt(() => this.client.api.moveTo(item.id, { read: item.last_seq }), { quiet: true });
  }

  /** @returns {Promise<{hits: object[], total: number, problem?: string}>} */
  async search(q, { role, days, conversation, limit }) {
    const from = days ? new Date(Date.now() - days * 86_400_000).toISOString() : undefined;
    const wanted = { q, role: role || undefined, conversation: conversation ?? undefined, from, limit };
    try {
      return await this.client.api.search(wanted);
    } catch (error) {
      expected(error);
      return { hits: [], total: 0, problem: error.message };
    }
  }

  find(id) {
    return this.state.conversations.find((conversation) => conversation.id === id) ?? null;
  }

  characterOf(conversation) {
    return this.state.characters.find(({ id }) => id === conversation?.character) ?? null;
  }

  /** The provider and model that will answer in this conversation; without one, in the next new one. */
  modelOf(conversation) {
    const { models, choice, characters, character } = this.state;
    const persona = conversation ? this.characterOf(conversation) : characters.find(({ id }) => id === character);
    const wishes = [conversation ? conversation.settings : choice, persona];
    const known = (wish) => models.find((entry) => entry.model === wish?.model && (!wish.provider || entry.provider === wish.provider));
    return wishes.map(known).find(Boolean) ?? models.find((entry) => entry.default) ?? models[0] ?? null;
  }

  async chooseModel(id, { provider, model }) {
    if (!id) {
      remember("choice", JSON.stringify({ provider, model }));
      this.set({ choice: { provider, model } });
      return;
    }
    const settings = { ...stated(this.find(id)?.settings), provider, model };
    await this.#change(id, { settings });
  }

  /** What becomes of a message while a reply is being written: `queue`, `reject` or `interrupt`. */
  async chooseBusy(id, busy) {
    await this.#change(id, { busy });
  }

  /** Begins a conversation with its first message. @returns {Promise<string | null>} its id */
  async begin(text) {
    const { choice, character } = this.state;
    const chosen = choice && this.modelOf(null);
    const conversation = await this.attempt(() =>
      this.client.api.createConversation({
        ...(character ? { character } : {}),
        ...(chosen ? { settings: { provider: chosen.provider, model: chosen.model } } : {}),
      }),
    );
    if (!conversation) return null;
    this.set({ conversations: [conversation, ...this.state.conversations], character: null });
    this.send(conversation.id, text);
    return conversation.id;
  }

  /** Sends; a failure shows at the message itself. */
  async send(id, text) {
    this.#touch(id);
    await this.client.conversation(id).send(text).catch(expected);
  }

  async resend(id, key) {
    await this.client.conversation(id).resend(key).catch(expected);
  }

  async stop(id, reply) {
    this.set({ stopping: reply });
    await this.client.conversation(id).cancel(reply).catch((error) => {
      expected(error);
      this.set({ stopping: null });
      if (error.code !== "already_ended") this.notify(`It could not be stopped. ${error.message}`);
    });
  }

  /** Another answer beside this one. */
  async regenerate(id, reply) {
    await this.attempt(() => this.client.conversation(id).regenerate(reply));
  }

  /** Says one's message differently. @returns {Promise<boolean>} whether it was done */
  async edit(id, message, text) {
    return Boolean(await this.attempt(() => this.client.conversation(id).edit(message, text)));
  }

  async choose(id, message) {
    await this.attempt(() => this.client.conversation(id).choose(message));
  }

  async retract(id, message) {
    await this.attempt(() => this.client.conversation(id).retract(message));
  }

  rename(id, title) {
    return this.#change(id, { title });
  }

  async remove(id) {
    await this.attempt(async () => {
      await this.client.api.deleteConversation(id);
      this.#forget(id);
    });
  }

  /** @returns {Promise<object | null>} the new character, chosen for the next conversation */
  async createCharacter(character) {
    const made = await this.client.api.createCharacter(character);
    this.set({ characters: [...this.state.characters, made], character: made.id });
    return made;
  }

  /** Does `work`; what the server refused is said in a notice. */
  async attempt(work, { quiet = false } = {}) {
    try {
      return await work();
    } catch (error) {
      expected(error);
      if (error instanceof SignedOut) this.set({ status: { ...this.state.status, phase: "signed out" } });
      else if (!quiet) this.notify(error.message);
      return null;
    }
  }

  async #change(id, changes) {
    const before = this.find(id);
    this.#merge(id, changes);
    const after = await this.attempt(() => this.client.api.updateConversation(id, changes));
    if (after) this.#merge(id, after);
    else if (before) this.#merge(id, before);
  }

  #merge(id, changes) {
    const { conversations } = this.state;
    this.set({ conversations: conversations.map((known) => (known.id === id ? { ...known, ...changes } : known)) });
  }

  #forget(id) {
    const conversations = this.state.conversations.filter((known) => known.id !== id);
    this.set({ conversations, route: this.state.route === id ? null : this.state.route });
  }

  /** Something was said here: it is the latest conversation now. */
  #touch(id) {
    this.#merge(id, { updated_at: new Date().toISOString() });
    this.set({ conversations: [...this.state.conversations].sort(byLatest) });
  }

  #heard({ type, conversation, ...event }) {
    if (type === "conversation.deleted") this.#forget(conversation);
    else if (type === "conversation.updated") {
      const { title, settings, character, busy } = event;
      this.#merge(conversation, { title, settings, character, busy });
    } else if (type === "message.created") this.#touch(conversation);
  }

  #statusChanged(status) {
    const opened = status.phase === "open" && this.state.status.phase !== "open";
    this.set({ status });
    if (!opened) return;
    this.refresh();
    const listing = this.client.listing();
    if (listing === this.listing) return;
    this.unlisten?.();
    this.listing = listing;
    this.unlisten = listing.watch((news) => this.#listed(news));
  }
}

/** Errors of the conversation are shown where they belong; anything else is a bug, and must be seen as one. */
function expected(error) {
  if (!(error instanceof ChatError)) throw error;
}

/** Only what is set: the server may list the others as null. */
const stated = (settings) => Object.fromEntries(Object.entries(settings ?? {}).filter(([, value]) => value !== null));
