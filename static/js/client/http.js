/** Requests to the server's HTTP side: JSON in and out, its problems as errors, a token that is renewed once. */

import { Refused, TimedOut, Unreachable } from "./errors.js";

const TIMEOUT = 20_000;
const FILE_TIMEOUT = 300_000; // whole conversations, over a slow line

export class Http {
  /**
   * @param {object} options
   * @param {string | URL} options.url where the server lives; a path in it is kept
   * @param {(refused?: string) => Promise<string>} [options.token] given the refused token, returns another one
   * @param {typeof fetch} [options.fetch]
   */
  constructor({ url, token = null, fetch = globalThis.fetch }) {
    this.url = new URL(url);
    this.token = token;
    this.fetch = (...given) => fetch(...given);
  }

  get(path, query) {
    return this.request("GET", path, { query });
  }

  post(path, body = {}) {
    return this.request("POST", path, { body });
  }

  patch(path, body) {
    return this.request("PATCH", path, { body });
  }

  delete(path) {
    return this.request("DELETE", path);
  }

  /**
   * @param {string} method @param {string} path relative to the server's address, such as "v1/me"
   * @param {{query?: object, body?: object, token?: string | null, timeout?: number}} [options] `token: null` sends none;
   *   `timeout` in milliseconds
   * @returns {Promise<any>} the answer's JSON; null when it has no body
   * @throws {Refused | Unreachable | TimedOut} and whatever getting a token throws
   */
  async request(method, path, options = {}) {
    return read(await this.#answer(method, path, options));
  }

  /** A file, as JSON, which may take its time. @returns {Promise<any>} @throws as `request` does */
  upload(path, body) {
    return this.request("POST", path, { body, timeout: FILE_TIMEOUT });
  }

  /** An answer that is a file, as it is. @returns {Promise<{name: string, blob: Blob}>} @throws as `request` does */
  async file(path, query) {
    const answer = await this.#answer("GET", path, { query, timeout: FILE_TIMEOUT });
    if (!answer.ok) return read(answer);
    const blob = await answer.blob().catch(brokenOff);
    return { name: nameOf(answer.headers.get("Content-Disposition") ?? ""), blob };
  }

  async #answer(method, path, options) {
    const anonymous = options.token === null || !this.token;
    const token = anonymous ? null : await this.token();
    const answer = await this.#ask(method, path, options, token);
    if (answer.status !== 401 || anonymous) return answer;
    return this.#ask(method, path, options, await this.token(token));
  }

  async #ask(method, path, { query, body, timeout = TIMEOUT }, token) {
    const url = new URL(path, this.url);
    for (const [name, value] of Object.entries(query ?? {})) {
      if (value !== undefined && value !== null) url.searchParams.set(name, value);
    }
    const headers = { Accept: "application/json" };
    if (token) headers.Authorization = `Bearer ${token}`;
    if (body !== undefined) headers["Content-Type"] = "application/json";
    try {
      const signal = AbortSignal.timeout(timeout);
      return await this.fetch(url, { method, headers, body: body && JSON.stringify(body), signal });
    } catch (cause) {
      throw cause?.name === "TimeoutError" ? new TimedOut() : new Unreachable(undefined, { cause });
    }
  }
}

/** What a file is called: as people call it, where the server says that as well (RFC 6266). */
function nameOf(disposition) {
  const [, title] = /filename\*=UTF-8''([^;]+)/i.exec(disposition) ?? [];
  const [, plain] = /filename="([^"]+)"/.exec(disposition) ?? [];
  return title ? decodeURIComponent(title) : (plain ?? "file");
}

function brokenOff(cause) {
  throw new Unreachable("The answer broke off.", { cause });
}

async function read(answer) {
  const text = await answer.text().catch(brokenOff);
  const json = parsed(text);
  if (answer.ok) return json;
  // A proxy's error page is no problem document; its status is all that is known.
  throw new Refused({ title: `The server answered ${answer.status}.`, code: "http_error", ...json, status: answer.status });
}

function parsed(text) {
  try {
    return text ? JSON.parse(text) : null;
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}
