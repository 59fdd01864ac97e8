"""Everything that the chat refuses, each with a stable code that clients may rely on (docs/protocol.md).

ChatError
├── Invalid            invalid, text_empty, text_too_long, unknown_provider: the request must be changed
├── Unauthenticated    unauthenticated: no token, or a bad one
├── Forbidden          forbidden, guests_not_allowed: it exists and is not yours to use
├── NotFound           not_found
├── Conflict           already_ended, not_ended, busy, retracted, archived, too_many_versions, key_reused,
│                      no_direct_search: it does not fit the present state
├── TooLarge           too_large: it is more than the database takes at once; it must be made smaller
├── QuotaExceeded      quota_exceeded: the user has as much as one may have; later it will be otherwise
└── Unavailable        unavailable, overloaded: nothing was accepted; try again later
StaleAttempt           not for clients: a newer attempt at the reply exists, or the reply has ended
"""


class ChatError(Exception):
    """The root: `code` is stable, `detail` a sentence for people."""

    def __init__(
        self, code: str, detail: str, *, field: str | None = None, retry_after: float | None = None
    ) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.field = field
        self.retry_after = retry_after


class Invalid(ChatError):
    """The request must be changed; `field` names the place."""


class Unauthenticated(ChatError):
    """No token, or one that is wrong or out of date."""


class Forbidden(ChatError):
    """It exists and is somebody else's."""


class NotFound(ChatError):
    """There is no such thing."""

    def __init__(self, what: str) -> None:
        super().__init__("not_found", f"There is no such {what}.")


class Conflict(ChatError):
    """The request does not fit the present state."""


class TooLarge(ChatError):
    """It is more than can be stored at once, now or later; nothing was accepted."""

    def __init__(self) -> None:
        super().__init__("too_large", "This is more than the database here can take at once.")


class QuotaExceeded(ChatError):
    """The user has as much as one may have; nothing was accepted."""

    def __init__(self, detail: str, *, retry_after: float) -> None:
        super().__init__("quota_exceeded", detail, retry_after=retry_after)


class Unavailable(ChatError):
    """Something that is needed cannot be reached; nothing was accepted."""

    def __init__(self, what: str, *, retry_after: float = 1.0) -> None:
        super().__init__("unavailable", f"{what} cannot be reached now.", retry_after=retry_after)


class Overloaded(ChatError):
    """Too much is wanted at once; nothing was accepted."""

    def __init__(self, detail: str, *, retry_after: float = 0.5) -> None:
        super().__init__("overloaded", detail, retry_after=retry_after)


class StaleAttempt(Exception):
    """A newer attempt at the reply exists, or the reply has ended: this one may not write any more."""
