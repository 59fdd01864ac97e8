/** The server's routes by name. Each answers with the JSON of docs/protocol.md, or throws as `Http.request` does. */

const part = encodeURIComponent;

export class Api {
  /** @param {import("./http.js").Http} http */
  constructor(http) {
    this.http = http;
  }

  /** A guest's token, where guests are allowed: `{token, user, name}`. */
  guest(name) {
    return this.http.request("POST", "v1/session", { body: name ? { name } : {}, token: null });
  }

  me() {
    return this.http.get("v1/me");
  }

  models() {
    return this.http.get("v1/models");
  }

  characters({ after, limit } = {}) {
    return this.http.get("v1/characters", { after, limit });
  }

  createCharacter(character) {
    return this.http.post("v1/characters", character);
  }

  /** `archived`: those put away; `pinned`: those kept at the top, or the others. */
  conversations({ after, limit, archived, pinned } = {}) {
    return this.http.get("v1/conversations", { after, limit, archived, pinned });
  }

  conversation(id) {
    return this.http.get(`v1/conversations/${part(id)}`);
  }

  createConversation(conversation = {}) {
    return this.http.post("v1/conversations", conversation);
  }

  updateConversation(id, changes) {
    return this.http.patch(`v1/conversations/${part(id)}`, changes);
  }

  deleteConversation(id) {
    return this.http.delete(`v1/conversations/${part(id)}`);
  }

  /** Takes part in a conversation of somebody else's no longer. */
  leaveConversation(id) {
    return this.http.delete(`v1/conversations/${part(id)}/members/me`);
  }

  /** The whole conversation as a file: `{name, blob}`. @param {string} id @param {"json" | "markdown"} format */
  exported(id, format) {
    return this.http.file(`v1/conversations/${part(id)}/export`, { format });
  }

  /** A new conversation out of what `exported` gave as JSON. */
  importConversation(document) {
    return this.http.upload("v1/conversations/import", document);
  }

  messages(id, { before, after, around, limit } = {}) {
    return this.http.get(`v1/conversations/${part(id)}/messages`, { before, after, around, limit });
  }

  /** A message on any branch. */
  message(id) {
    return this.http.get(`v1/messages/${part(id)}`);
  }

  /** @param {object} wanted `{q, conversation, user, role, from, to, topic, language, order, limit, offset}` */
  search(wanted) {
    return this.http.get("v1/search", wanted);
  }

  /** @param {{read?: number, pinned?: boolean}} place */
  moveTo(id, place) {
    return this.http.request("PUT", `v1/conversations/${part(id)}/place`, { body: place });
  }

  reply(id) {
    return this.http.get(`v1/replies/${part(id)}`);
  }
}
