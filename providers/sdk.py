"""What vendors' SDKs have in common: they sign and connect; they are asked alike, and fail alike."""

from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Generator
from contextlib import AbstractAsyncContextManager, contextmanager
from dataclasses import dataclass
from typing import Protocol, cast

import httpx2

from providers.config import ProviderConfig
from providers.continuation import going_on
from providers.contract import Delta, Prompt
from providers.errors import TimedOut, Unreachable
from providers.exchange import Reading, converse
from providers.profiles import prefills, profile
from providers.refusal import Refusals
from providers.retries import RetryBudget

NO_KEY = "none"
"""SDKs insist on a key where a local server asks for none, or would look for one in the environment and on the disk."""

CONNECTIONS = httpx2.Limits(max_connections=1000, max_keepalive_connections=100, keepalive_expiry=60.0)
"""As many as the SDKs keep by themselves, and longer than their five seconds: who reads an answer and writes the next
message takes longer than that, and a new connection to a vendor is three ways there and back before the first token.
One that was closed there meanwhile costs a retry that does not wait (`retries.pause`)."""


class Refused(Protocol):
    """An SDK's error for an answer of the server's that is no success."""

    response: httpx2.Response


@dataclass(frozen=True, slots=True)
class Failures:
    """What an SDK raises."""

    refused: type[Exception]
    """Has the answer, as `Refused` does."""
    slow: type[Exception]
    any: type[Exception]
    """Of these, and of all others."""


class SDKProvider(ABC):
    """A server that is asked through a vendor's SDK (`contract.Provider`); the rest is its protocol's."""

    def __init__(self, config: ProviderConfig, failures: Failures) -> None:
        self._config = config
        self._failures = failures
        self._refusals = Refusals(config.name, config.api_key)
        self._budget = RetryBudget(config.limits.retry_share)

    @property
    def name(self) -> str:
        """The name it was configured under."""
        return self._config.name

    def stream(self, prompt: Prompt) -> AsyncGenerator[Delta, None]:
        """Ask the model; see `Provider.stream`."""
        answer = converse(self.name, self._config.limits, self._budget, _Asking(self, prompt))
        if not prompt.kept:
            return answer
        return going_on(answer, prompt.kept, prefill=prefills(self._config, prompt.model))

    @abstractmethod
    def open(self, prompt: Prompt) -> AbstractAsyncContextManager[httpx2.Response]:
        """Send a prompt."""

    @abstractmethod
    def reading(self, model: str) -> Reading:
        """Read a new answer of a model."""

    @property
    def _timeout(self) -> httpx2.Timeout:
        """`converse` keeps the time limits of what is read."""
        return httpx2.Timeout(self._config.limits.connect, read=None)

    def _temperature(self, prompt: Prompt) -> float | None:
        """What is asked for, else what was configured, where the model takes any."""
        config = self._config
        if prompt.temperature is None and profile(config, prompt.model).temperature:
            return config.temperature
        return prompt.temperature

    @contextmanager
    def _failures_told(self, slow: type[TimedOut]) -> Generator[None]:
        """Turn what the SDK raises into this package's errors, `slow` among them."""
        try:
            yield
        except self._failures.refused as error:
            # Without its cause: the SDK's own message quotes the body, which may quote the key.
            answer = cast("Refused", error).response
            raise self._refusals.of_response(answer.status_code, answer.headers, answer.content) from None
        except self._failures.slow as error:
            raise slow(f"{self.name} took too long to answer.") from error
        except self._failures.any as error:
            raise Unreachable(f"{self.name} cannot be reached.") from error


@dataclass(frozen=True, slots=True)
class _Asking:
    """One prompt on its way (`exchange.Request`)."""

    provider: SDKProvider
    prompt: Prompt

    def open(self) -> AbstractAsyncContextManager[httpx2.Response]:
        return self.provider.open(self.prompt)

    def reading(self) -> Reading:
        return self.provider.reading(self.prompt.model)
