"""How MongoDB answers what our code really asks: the questions are overheard, and their plans asked for afterwards."""

from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from pymongo import monitoring

from server.storage.database import Client

_EXPLAINED = {
    "find": ("filter", "sort", "projection", "limit", "skip", "hint"),
    "aggregate": ("pipeline", "cursor", "hint"),
    "distinct": ("key", "query"),
    "count": ("query", "limit"),
}


class _Overheard(monitoring.CommandListener):
    """What was asked while somebody wants to know."""

    def __init__(self) -> None:
        self.registered = False
        self.wanted: list[tuple[str, dict[str, Any]]] | None = None
        self.counted: Counter[str] | None = None

    def started(self, event: monitoring.CommandStartedEvent) -> None:
        """Keep what can be explained, and count all of it."""
        if self.counted is not None:
            self.counted[f"{event.command_name} {event.command.get(event.command_name)}"] += 1
        if self.wanted is not None and event.command_name in _EXPLAINED:
            kept = (event.command_name, *_EXPLAINED[event.command_name])
            said = {name: event.command[name] for name in kept if name in event.command}
            self.wanted.append((event.database_name, said))

    def succeeded(self, event: monitoring.CommandSucceededEvent) -> None:
        """Nothing."""

    def failed(self, event: monitoring.CommandFailedEvent) -> None:
        """Nothing."""


_overheard = _Overheard()


def overhear() -> None:
    """From now on, clients that are made can be overheard; each of their commands costs a little more."""
    if not _overheard.registered:
        _overheard.registered = True
        monitoring.register(_overheard)


@dataclass
class Plan:
    """What it took to answer one read, all of its questions together."""

    stages: set[str] = field(default_factory=set[str])
    indexes: set[str] = field(default_factory=set[str])
    keys: int = 0
    documents: int = 0

    def __str__(self) -> str:
        walk = ", ".join(sorted(self.indexes)) or "no index"
        scan = "; A SCAN OF A COLLECTION" if "COLLSCAN" in self.stages else ""
        return f"{walk}: {self.keys:,} keys, {self.documents:,} documents{scan}"


async def commands_of(work: Callable[[], Awaitable[Any]]) -> Counter[str]:
    """Do it, and count the commands that it took: each by its name and its collection."""
    _overheard.counted = counted = Counter[str]()
    try:
        await work()
    finally:
        _overheard.counted = None
    return counted


async def plan_of(client: Client, read: Callable[[], Awaitable[Any]]) -> Plan:
    """Read once, and ask how each question of it was answered. `client` must be one that can be overheard."""
    _overheard.wanted = []
    try:
        await read()
        asked = _overheard.wanted
    finally:
        _overheard.wanted = None
    assert asked, "nothing was overheard"
    plan = Plan()
    for database, command in asked:
        explained = {"explain": command, "verbosity": "executionStats"}
        _take(plan, await client[database].command(explained))
    return plan


def _take(plan: Plan, told: Any) -> None:
    """Walk an explanation, which is made of objects and lists, however deep."""
    if isinstance(told, list):
        for part in told:
            _take(plan, part)
        return
    if not isinstance(told, dict):
        return
    if isinstance(stage := told.get("stage"), str):
        plan.stages.add(stage)
        if isinstance(name := told.get("indexName"), str):
            plan.indexes.add(name)
        elif stage == "IDHACK":
            plan.indexes.add("_id")
    if "totalKeysExamined" in told:
        plan.keys += told["totalKeysExamined"]
        plan.documents += told["totalDocsExamined"]
    for name, part in told.items():
        if name not in {"rejectedPlans", "allPlansExecution"}:
            _take(plan, part)
