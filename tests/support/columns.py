"""The columns of the conformance matrix: each provider as an operator configures it, and who answers behind it."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

from providers.config import Limits
from providers.contract import Provider
from providers.registry import Registry
from server.settings import Settings
from server.wiring.providers import provider_configs
from tests.support.providers import KEY, PATIENT
from tests.support.wires import AnthropicWire, OpenAIWire, Wire

_ADDRESS = {
    "openai": "OPENAI_BASE_URL",
    "anthropic": "ANTHROPIC_BASE_URL",
    "lmstudio": "LMSTUDIO_BASE_URL",
    "local": "CHAT_LOCAL_MODEL_URL",
}
_KEYS = {"OPENAI_API_KEY": KEY, "ANTHROPIC_API_KEY": KEY}


@dataclass(frozen=True)
class Column:
    """A provider by the name that an operator knows it by, and a server of its protocol."""

    provider: str
    server: str

    @property
    def wire(self) -> Wire:
        """The protocol that they speak."""
        return AnthropicWire() if self.provider == "anthropic" else OpenAIWire()

    @property
    def is_real(self) -> bool:
        """Whether a model answers, and no double of one."""
        return self.server == "llama.cpp"

    def __str__(self) -> str:
        """As it stands in a test's id."""
        return f"{self.provider} on {self.server}"


COLUMNS = (
    Column("openai", "llmock"),
    Column("openai", "aimock"),
    Column("openai", "scripted"),
    Column("anthropic", "llmock"),
    Column("anthropic", "aimock"),
    Column("anthropic", "scripted"),
    Column("anthropic", "llama.cpp"),
    Column("lmstudio", "llama.cpp"),
    Column("local", "llama.cpp"),
)
"""`local` is the embedded default; `lmstudio` is asked as LM Studio is, and answered by its engine's own server."""


@asynccontextmanager
async def configured(
    column: Column,
    base_url: str,
    limits: Limits = PATIENT,
    *,
    prefill: bool | None = None,
    streams: bool | None = None,
) -> AsyncGenerator[Provider]:
    """Open a provider by its setting alone, as the processes do; the limits are the test's."""
    said = {**_KEYS, _ADDRESS[column.provider]: base_url}
    [config] = [one for one in provider_configs(Settings.model_validate(said)) if one.name == column.provider]
    async with Registry([replace(config, limits=limits, prefill=prefill, streams=streams)]) as registry:
        yield registry.get(column.provider)
