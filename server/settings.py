"""What an operator may say, by environment variables; read once, frozen, and passed down as values."""

from ipaddress import ip_address
from pathlib import Path
from typing import Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationInfo, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from server.storage.causal import Preference

Auth = Literal["guest", "token"]

_SCHEMES = {
    "mongodb_url": ("mongodb", "mongodb+srv"),
    "redis_url": (
        *("redis", "rediss", "unix"),
        *("redis+sentinel", "rediss+sentinel", "redis+cluster", "rediss+cluster"),
    ),
}
_OVER_HTTP = (
    "meilisearch_url",
    "meilisearch_public_url",
    "auth_jwks_url",
    "openai_base_url",
    "anthropic_base_url",
    "lmstudio_base_url",
    "local_model_url",
)
SHORTEST_SECRET = 32
"""Characters."""
_SOCKETS_PER_USER = 100


class Settings(BaseSettings):
    """Every variable with its default. An unset URL means that `up` starts an engine of its own."""

    model_config = SettingsConfigDict(
        frozen=True, extra="ignore", populate_by_name=True, env_ignore_empty=True
    )

    host: str = Field(default="127.0.0.1", alias="CHAT_HOST")
    port: int = Field(default=8004, ge=0, le=65535, alias="CHAT_PORT")
    data_dir: Path = Field(default=Path(".data"), alias="CHAT_DATA_DIR")
    mongodb_url: str | None = Field(default=None, alias="CHAT_MONGODB_URL")
    mongodb_database: str = Field(default="tertulia", alias="CHAT_MONGODB_DATABASE")
    read_preference: Preference = Field(default="primary", alias="CHAT_READ_PREFERENCE")
    """Who is asked for history, lists, search and exports."""
    redis_url: str | None = Field(default=None, alias="CHAT_REDIS_URL")
    meilisearch_url: str | None = Field(default=None, alias="CHAT_MEILISEARCH_URL")
    """Searched there, and not in MongoDB, where it is set."""
    meilisearch_key: SecretStr | None = Field(default=None, alias="CHAT_MEILISEARCH_KEY")
    meilisearch_public_url: str | None = Field(default=None, alias="CHAT_MEILISEARCH_PUBLIC_URL")
    """Where browsers reach it; they get tokens to search there where it is set."""
    auth: Auth | None = Field(default=None, alias="CHAT_AUTH")
    auth_secret: SecretStr | None = Field(default=None, alias="CHAT_AUTH_SECRET")
    auth_jwks_url: str | None = Field(default=None, alias="CHAT_AUTH_JWKS_URL")
    auth_audience: str | None = Field(default=None, alias="CHAT_AUTH_AUDIENCE")
    auth_issuer: str | None = Field(default=None, alias="CHAT_AUTH_ISSUER")
    """What the tokens of that service must say; anything by default."""
    sockets_per_user: int | None = Field(default=None, ge=1, alias="CHAT_SOCKETS_PER_USER")
    writes_per_second: float = Field(default=500.0, gt=0, alias="CHAT_WRITES_PER_SECOND")
    drain_seconds: float = Field(default=3.0, ge=0, le=600, alias="CHAT_DRAIN_SECONDS")
    workers: int = Field(default=1, ge=0, le=64, alias="CHAT_WORKERS")
    worker_concurrency: int = Field(default=64, ge=1, le=10_000, alias="CHAT_WORKER_CONCURRENCY")
    worker_metrics_port: int | None = Field(default=None, ge=0, le=65535, alias="CHAT_WORKER_METRICS_PORT")
    queue_depth: int = Field(default=10_000, ge=1, alias="CHAT_QUEUE_DEPTH")
    quota_replies: int | None = Field(default=None, ge=1, alias="CHAT_QUOTA_REPLIES")
    """Replies of one user in flight; any number by default."""
    quota_tokens: int | None = Field(default=None, ge=1, alias="CHAT_QUOTA_TOKENS")
    """Tokens of one user on one day (UTC); any number by default."""
    lease_seconds: float = Field(default=5.0, ge=0.2, le=300, alias="CHAT_LEASE_SECONDS")
    job_deliveries: int = Field(default=5, ge=1, le=100, alias="CHAT_JOB_DELIVERIES")
    reply_seconds: float = Field(default=900.0, ge=1, alias="CHAT_REPLY_SECONDS")
    provider: str | None = Field(default=None, alias="CHAT_PROVIDER")
    model: str | None = Field(default=None, alias="CHAT_MODEL")
    fallbacks: str = Field(default="", alias="CHAT_FALLBACKS")
    """Who answers when a provider fails: `provider` or `provider:model`, separated by commas."""
    on_break: Literal["continue", "restart", "fail"] = Field(default="continue", alias="CHAT_ON_BREAK")
    summary_provider: str | None = Field(default=None, alias="CHAT_SUMMARY_PROVIDER")
    """Who sums up what fell out of a model's window; with neither this nor a model, nobody."""
    summary_model: str | None = Field(default=None, alias="CHAT_SUMMARY_MODEL")
    connect_seconds: float = Field(default=5.0, gt=0, alias="CHAT_CONNECT_SECONDS")
    first_token_seconds: float = Field(default=120.0, gt=0, alias="CHAT_FIRST_TOKEN_SECONDS")
    between_tokens_seconds: float = Field(default=30.0, gt=0, alias="CHAT_BETWEEN_TOKENS_SECONDS")
    whole_reply_seconds: float = Field(default=1800.0, gt=0, alias="CHAT_WHOLE_REPLY_SECONDS")
    retries: int = Field(default=1, ge=0, le=10, alias="CHAT_RETRIES")
    breaker_failures: int = Field(default=5, ge=1, alias="CHAT_BREAKER_FAILURES")
    breaker_rest_seconds: float = Field(default=5.0, gt=0, alias="CHAT_BREAKER_REST_SECONDS")
    openai_api_key: SecretStr | None = Field(default=None, alias="OPENAI_API_KEY")
    openai_base_url: str | None = Field(default=None, alias="OPENAI_BASE_URL")
    anthropic_api_key: SecretStr | None = Field(default=None, alias="ANTHROPIC_API_KEY")
    anthropic_base_url: str | None = Field(default=None, alias="ANTHROPIC_BASE_URL")
    lmstudio_base_url: str | None = Field(default=None, alias="LMSTUDIO_BASE_URL")
    local_model_url: str | None = Field(default=None, alias="CHAT_LOCAL_MODEL_URL")
    """Where the embedded model is; `up` sets it for its children."""
    log: Literal["text", "json"] = Field(default="text", alias="CHAT_LOG")

    @field_validator("mongodb_url", "redis_url", *_OVER_HTTP)
    @classmethod
    def _an_address(cls, url: str | None, field: ValidationInfo) -> str | None:
        schemes = _SCHEMES.get(field.field_name or "", ("http", "https"))
        if url is not None and urlsplit(url).scheme not in schemes:
            raise ValueError(f"an address begins with {'://, '.join(schemes)}://")
        return url

    @field_validator("auth_secret")
    @classmethod
    def _long_enough(cls, secret: SecretStr | None) -> SecretStr | None:
        if secret is not None and len(secret.get_secret_value()) < SHORTEST_SECRET:
            raise ValueError(
                f"use at least {SHORTEST_SECRET} characters, for example of `openssl rand -hex 32`"
            )
        return secret

    @model_validator(mode="after")
    def _searched(self) -> Self:
        if self.meilisearch_public_url is not None and self.meilisearch_url is None:
            raise ValueError(
                "CHAT_MEILISEARCH_PUBLIC_URL needs CHAT_MEILISEARCH_URL, where we reach it ourselves"
            )
        return self

    @model_validator(mode="after")
    def _guarded(self) -> Self:
        if self.auth == "token" and not self.has_token_setting:
            raise ValueError("CHAT_AUTH=token needs CHAT_AUTH_SECRET or CHAT_AUTH_JWKS_URL")
        if self.auth is None and not self.is_loopback and not self.has_token_setting:
            raise ValueError(
                f"CHAT_HOST={self.host} can be reached by others: set CHAT_AUTH_SECRET or CHAT_AUTH_JWKS_URL "
                "(or CHAT_AUTH=guest, if anybody may come in)"
            )
        return self

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine reaches the port."""
        if self.host == "localhost":
            return True
        try:
            return ip_address(self.host).is_loopback
        except ValueError:
            return False

    @property
    def has_token_setting(self) -> bool:
        """Whether tokens of others can be checked."""
        return self.auth_secret is not None or self.auth_jwks_url is not None

    @property
    def guests(self) -> bool:
        """Whether anybody gets a user: by request, or by default where only this machine reaches the port."""
        return self.auth == "guest" if self.auth is not None else self.is_loopback

    @property
    def most_sockets(self) -> int | None:
        """Sockets of one user at one instance. A guest would only take another name: no limit unless one is set."""
        if self.sockets_per_user is not None:
            return self.sockets_per_user
        return None if self.guests else _SOCKETS_PER_USER

    @property
    def has_provider(self) -> bool:
        """Whether a provider other than the embedded model is configured."""
        said = (self.openai_api_key, self.openai_base_url, self.anthropic_api_key, self.anthropic_base_url)
        return any(said) or self.lmstudio_base_url is not None
