/**
 * What can go wrong, as one small tree:
 *
 *     ChatError
 *     ├── Refused       the server answered no: a stable `code`, a sentence, perhaps a `field` and a delay
 *     ├── Unreachable   no answer came: the network, or a server that is away
 *     ├── TimedOut      it is not known whether the server did it; with the same key, asking again is safe
 *     └── SignedOut     the server wants a token, and none could be had
 */

export class ChatError extends Error {
  /** @param {string} message @param {{code?: string, cause?: unknown}} [about] */
  constructor(message, { code = "error", cause } = {}) {
    super(message, { cause });
    this.name = new.target.name;
    this.code = code;
  }
}

export class Refused extends ChatError {
  /** @param {{code?: string, detail?: string, title?: string, status?: number, field?: string, retry_after?: number}} problem */
  constructor(problem) {
    super(problem.detail ?? problem.title ?? "The server refused.", { code: problem.code ?? "refused" });
    this.status = problem.status ?? null;
    this.field = problem.field ?? null;
    this.retryAfter = problem.retry_after ?? null;
  }
}

export class Unreachable extends ChatError {
  constructor(message = "The server cannot be reached.", about = {}) {
    super(message, { code: "unreachable", ...about });
  }
}

export class TimedOut extends ChatError {
  constructor(message = "The server did not answer in time.") {
    super(message, { code: "timed_out" });
  }
}

export class SignedOut extends ChatError {
  constructor(message = "The server wants a token.") {
    super(message, { code: "signed_out" });
  }
}
