"""Everything that can go wrong between a prompt and its answer.

::

    ProviderError
    ├── UnknownProvider     provider_unknown        no provider is configured under that name
    ├── Unreachable         provider_unreachable    no connection, or it broke before the answer began
    ├── TimedOut            provider_timeout                 the provider itself gave up waiting
    │   ├── SlowToConnect   provider_timeout_connect         no connection within its limit
    │   ├── SlowToBegin     provider_timeout_first_token     no first token within its limit
    │   ├── Stalled         provider_timeout_between_tokens  no next token within its limit
    │   └── SlowToEnd       provider_timeout_whole           the whole answer took longer than its limit
    ├── Unauthorized        provider_unauthorized   the key is missing, wrong, or not allowed to do this
    ├── RateLimited         provider_rate_limited   too many requests, or the quota is used up
    ├── Overloaded          provider_overloaded     the provider failed or has no room
    ├── BadRequest          provider_refused        the provider will not take this prompt
    │   ├── UnknownModel    provider_unknown_model  … because it does not have the model
    │   └── Unsupported     provider_unsupported    … because its model cannot do what is asked; it was not asked
    ├── Resting             provider_resting        it failed too often of late, and is left alone for a while
    ├── Truncated           provider_truncated      the stream ended before the answer did
    └── MalformedStream     provider_malformed      the stream is not what the protocol says

`code` is stable and meant for programs. `detail` is a sentence that may be shown to a user: it names the
provider, says what happened, and never holds a key or an address.
"""

from typing import ClassVar


class ProviderError(Exception):
    """A provider did not give the answer.

    `retryable` says whether the same prompt may succeed later; `retry_after` (seconds) is how long the
    provider asked to be left alone, where it said so.
    """

    code: ClassVar[str] = "provider_error"
    retryable: ClassVar[bool] = False

    def __init__(self, detail: str, *, retry_after: float | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.retry_after = retry_after


class UnknownProvider(ProviderError):
    """No provider is configured under that name."""

    code = "provider_unknown"


class Unreachable(ProviderError):
    """No connection could be made, or it broke before the answer began."""

    code = "provider_unreachable"
    retryable = True


class TimedOut(ProviderError):
    """Something took longer than the limit for it."""

    code = "provider_timeout"
    retryable = True


class SlowToConnect(TimedOut):
    """No connection could be made in time."""

    code = "provider_timeout_connect"


class SlowToBegin(TimedOut):
    """The first token did not come in time."""

    code = "provider_timeout_first_token"


class Stalled(TimedOut):
    """The next token did not come in time."""

    code = "provider_timeout_between_tokens"


class SlowToEnd(TimedOut):
    """Tokens came, but not the last one in time."""

    code = "provider_timeout_whole"


class Unauthorized(ProviderError):
    """The key is missing, wrong, or not allowed to do this."""

    code = "provider_unauthorized"


class RateLimited(ProviderError):
    """Too many requests, or the quota is used up."""

    code = "provider_rate_limited"
    retryable = True


class Overloaded(ProviderError):
    """The provider failed, or has no room for this request."""

    code = "provider_overloaded"
    retryable = True


class BadRequest(ProviderError):
    """The provider will not take this prompt, now or later."""

    code = "provider_refused"


class UnknownModel(BadRequest):
    """The provider does not have the model."""

    code = "provider_unknown_model"


class Unsupported(BadRequest):
    """The model cannot do what is asked, and would answer something else; it was not asked."""

    code = "provider_unsupported"


class Resting(ProviderError):
    """The provider failed too often of late, and is left alone for a while."""

    code = "provider_resting"
    retryable = True


class Truncated(ProviderError):
    """The stream ended before the answer did."""

    code = "provider_truncated"
    retryable = True


class MalformedStream(ProviderError):
    """The stream is not what the protocol says it is."""

    code = "provider_malformed"
    retryable = True
