/** The page's model: the client, the list of conversations, what can be chosen, and the verbs of the page. */

import { ChatError, Client, Refused, SignedOut } from "../client/index.js";
import { answering, chosenBefore, keepChoice, stated } from "./choice.js";
import { exported, save } from "./files.js";
import { Identity } from "./identity.js";
import { merged, takesPart, titleOf, withFirstPage } from "./list.js";
import { wish } from "./search-wish.js";
import { beginning } from "./state.js";
import { forget, keep, note, unsent } from "./unsent.js";

const PAGE = 40;

export class Salon {
  /** @param {string | URL} url the server's address */
  constructor(url) {
    this.identity = new Identity(() => this.client.api);
    this.client = new Client({ url, token: (refused) => this.identity.token(refused) });
    this.subscribers = new Set();
    /** Conversations begun here of which the server's list has not told yet. */
    this.begun = new Set();
    this.state = beginning({ status: this.client.status, choice: chosenBefore() });
    this.parting = null;
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
        ({ items, next }) => this.#firstPage({ conversations: items, next }),
      ),
      // They are at the top however long nothing was said in them.
      load(() => api.conversations({ pinned: true, limit: PAGE }), ({ items }) => this.#known(items)),
      load(() => api.models(), ({ items }) => this.set({ models: items })),
      load(() => api.characters({ limit: 200 }), ({ items }) => this.set({ characters: items })),
    ]);
  }

  async loadMore() {
    await this.attempt(async () => {
      const { archive } = this.state;
      const cursor = archive ? "nextArchived" : "next";
      const { items, next } = await this.client.api.conversations({ after: this.state[cursor], limit: PAGE, archived: archive });
      this.set({ [cursor]: next });
      this.#known(items);
    });
  }

  /** Shows what was put away, or the others again. */
  async showArchive(archive) {
    this.set({ archive, nextArchived: null });
    if (archive) await this.loadMore();
  }

  #known(items) {
    this.set({ conversations: merged(this.state.conversations, items) });
  }

  #firstPage(page) {
    const { conversations, older } = withFirstPage(this.state.conversations, page, this.begun);
    this.set({ conversations, next: older ? this.state.next : page.next, loaded: true });
  }

  /** Its title and settings as they are now. A snapshot does not tell what changed before it was taken. */
  async #lookUp(id) {
    const found = await this.attempt(() => this.client.api.conversation(id), { quiet: true });
    if (found) this.#known([{ ...this.find(id), ...found }]);
  }

  /** What the server says of the list, as it happens. */
  #listed(news) {
    if (news.removed) this.#forget(news.removed);
    else if (news.changed) {
      this.begun.delete(news.changed.id);
      this.#known([news.changed]);
    } else this.#firstPage(news);
    this.read();
  }

  /** What is in sight is read. */
  read() {
    const item = this.find(this.state.route);
    if (!item?.unread || document.visibilityState !== "visible" || this.reading === item.last_seq) return;
    if (this.parting === item.id) return;
    this.reading = item.last_seq;
    this.#merge(item.id, { unread: 0 });
    this.attempt(() => this.client.api.moveTo(item.id, { read: item.last_seq }), { quiet: true });
  }

  /** @returns {Promise<{hits: object[], total: number, problem?: string}>} */
  async search(q, chosen, page) {
    const about = { now: new Date(), me: this.client.user, route: this.state.route };
    try {
      return await this.client.api.search({ q, ...wish(chosen, about), ...page });
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
    const { models, choice, character } = this.state;
    const persona = this.characterOf(conversation ?? { character });
    return answering(models, [conversation ? conversation.settings : choice, persona]);
  }

  async chooseModel(id, { provider, model }) {
    if (!id) {
      keepChoice({ provider, model });
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
    this.begun.add(conversation.id);
    this.#known([conversation]);
    this.set({ character: null });
    this.send(conversation.id, text);
    return conversation.id;
  }

  /** Sends; a failure shows at the message itself. Until the server has it, it outlives the page. */
  async send(id, text) {
    const key = this.client.platform.key();
    this.#touch(id);
    keep(id, { key, text });
    await this.#arrival(id, key, this.client.conversation(id).send(text, { key }));
  }

  async resend(id, key) {
    await this.#arrival(id, key, this.client.conversation(id).resend(key));
  }

  /**
   * Sends what the page was closed upon; what was refused is shown again instead. What its conversation does not take any
   * more is forgotten with it.
   */
  sendUnsent() {
    for (const { conversation, key, text, reply, problem } of unsent()) {
      const known = this.client.conversation(conversation);
      if (problem) known.recover({ key, text, reply }, new Refused(problem));
      else this.#arrival(conversation, key, known.send(text, { key, reply })).then((error) => {
        if (["not_found", "forbidden"].includes(error?.code)) this.discard(conversation, key);
      });
    }
  }

  /** Forgets a message that could not be sent. */
  discard(id, key) {
    forget(id, key);
    this.client.conversation(id).discard(key);
  }

  /** Puts its words back into the message box. */
  giveBack(id, { key, text }) {
    this.discard(id, key);
    this.set({ givenBack: { conversation: id, text } });
  }

  /** @returns {Promise<ChatError | null>} why it has not arrived */
  async #arrival(id, key, sending) {
    try {
      await sending;
    } catch (error) {
      expected(error);
      if (error instanceof Refused) note(id, key, { code: error.code, detail: error.message });
      return error;
    }
    forget(id, key);
    return null;
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

  async putAway(id, message, archived) {
    await this.attempt(() => this.client.conversation(id).archive(message, archived));
  }

  rename(id, title) {
    return this.#change(id, { title });
  }

  /** Says who takes part beside oneself, who began it. @throws {ChatError} */
  async seat(id, members) {
    this.#merge(id, await this.client.api.updateConversation(id, { members }));
  }

  /** Puts a conversation away, or back. */
  archive(id, archived) {
    return this.#change(id, { archived });
  }

  /** Keeps a conversation at the top of one's own list. */
  async pin(id, pinned) {
    const before = this.find(id);
    this.#merge(id, { pinned });
    const line = await this.attempt(() => this.client.api.moveTo(id, { pinned }));
    this.#merge(id, { pinned: line ? line.pinned : before?.pinned });
  }

  /** @param {"json" | "markdown"} format */
  async export(id, format) {
    await this.attempt(async () => save(await this.client.api.exported(id, format)));
  }

  /** @param {Blob} file what was exported @returns {Promise<string | null>} the id of the new conversation */
  async import(file) {
    const document = await exported(file);
    if (!document) {
      this.notify("This file is no exported conversation.");
      return null;
    }
    const made = await this.attempt(() => this.client.api.importConversation(document));
    if (!made) return null;
    this.begun.add(made.id);
    this.#known([made]);
    return made.id;
  }

  /** For everybody in it: it is one's own. */
  remove(id) {
    return this.#part(id, () => this.client.api.deleteConversation(id));
  }

  /** For oneself: it is somebody else's. */
  leave(id) {
    return this.#part(id, () => this.client.api.leaveConversation(id));
  }

  async #part(id, ask) {
    this.parting = id;
    await this.attempt(async () => {
      await ask();
      this.#forget(id);
    });
    this.parting = null;
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
    const known = this.find(id);
    if (known) this.#known([{ ...known, ...changes }]);
  }

  #forget(id) {
    const conversations = this.state.conversations.filter((known) => known.id !== id);
    this.begun.delete(id);
    this.set({ conversations, gone: id, route: this.state.route === id ? null : this.state.route });
  }

  /** One has left on another device, or its owner says so: unless one is leaving here, it is worth a sentence. */
  #out(item) {
    if (this.parting !== item.id) this.notify(`You take part in “${titleOf(item)}” no longer.`);
    this.#forget(item.id);
  }

  /** Something was said here: it is the latest conversation now. */
  #touch(id) {
    this.#merge(id, { updated_at: new Date().toISOString() });
  }

  #heard({ type, conversation, ...event }) {
    if (type === "conversation.deleted") this.#forget(conversation);
    else if (type === "conversation.updated") {
      const { title, settings, character, busy, members } = event;
      const item = this.find(conversation);
      if (item && !takesPart({ ...item, members }, this.client.user)) this.#out(item);
      else this.#merge(conversation, { title, settings, character, busy, members });
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
