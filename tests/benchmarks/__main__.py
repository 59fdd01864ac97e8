"""`python -m tests.benchmarks`: what the hot paths cost, beside others doing the same, in one run.

Nothing here passes or fails. Figures depend on the machine and on what else it does; what is measured beside one
another in one run can be compared.
"""

import asyncio
import os
import tempfile
from collections.abc import Callable, Coroutine
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from tests.benchmarks import cache, fanout, idle, open_streams, peers, reads, sends, storm, tokens
from tests.benchmarks.machine import CORES, allow_many_files, description
from tests.benchmarks.processes import Stuck
from tests.benchmarks.tertulia import Engines, engines

_console = Console(width=None if Console().is_terminal else 120)
_QUIET = 0.5
_PACKAGES = ("uvloop", "uvicorn", "websockets", "python-socketio", "redis", "pymongo", "openai", "httpx2")


class Part(StrEnum):
    """One idea, one or two tables."""

    FANOUT = "fanout"
    TOKENS = "tokens"
    IDLE = "idle"
    SENDS = "sends"
    STORM = "storm"
    READS = "reads"
    CACHE = "cache"
    PEERS = "peers"


_APART = (Part.PEERS,)
"""Only where it is asked for: it wants what `make bench-peers` installs."""


def main(
    only: Annotated[Part | None, typer.Option(help="One part only.")] = None,
    quick: Annotated[bool, typer.Option(help="Shorter, and less certain.")] = False,
    streams: Annotated[int, typer.Option(help="Model streams at once.", min=2, max=1000)] = 20,
) -> None:
    """Measure what the hot paths cost, beside others doing the same."""
    allow_many_files()
    _console.print(f"{description(*_PACKAGES)}.", highlight=False)
    apart = "one core for what is measured, another for load, engines and model"
    _console.print(f"Loopback; {apart if len(CORES) > 1 else 'one core for all of it'}.", highlight=False)
    load = os.getloadavg()[0]
    if load > _QUIET:
        _console.print(f"The load average is {load:.1f}: what else this machine does shows in the figures.")
    with tempfile.TemporaryDirectory(prefix="tertulia-bench-") as folder, engines(Path(folder)) as running:
        parts = [part for part in Part if part not in _APART] if only is None else [only]
        for part in parts:
            asyncio.run(_PARTS[part](running, quick, streams))


async def _fanout(running: Engines, quick: bool, streams: int) -> None:
    rounds = 40 if quick else 100
    table = _table(
        f"Fan-out: {fanout.SUBSCRIBERS} subscribers, frames of 120 bytes, no compression",
        "server",
        "how",
        "deliveries",
        "CPU µs per delivery",
    )
    for measured in (fanout.others(running, rounds), fanout.ours(running, rounds)):
        async for result in measured:
            table.add_row(result.server, result.how, f"{result.frames:,}", f"{result.microseconds:.1f}")
    _console.print(table)


def _token_tables(length: tokens.Length) -> tuple[Table, Table, Table]:
    """What tokens cost, the same divided, and how long the first takes."""
    costs = _table(
        f"Token path: 50 tokens/s a stream, replies of {length.tokens} tokens, from send to end",
        "reader",
        "processes",
        "streams",
        "tokens",
        "CPU µs per token",
        "of which",
    )
    shares = _table(
        "The same, divided: what a reply costs once, and what each further token does",
        "reader",
        "processes",
        "streams",
        "CPU ms per reply",
        "CPU µs per further token",
    )
    delays = _table(
        "Added time to first token, in milliseconds",
        "reader",
        "how",
        "answers",
        "median",
        "99th percentile",
        "of which",
    )
    return costs, shares, delays


async def _tokens(running: Engines, quick: bool, streams: int) -> None:
    length = tokens.QUICK if quick else tokens.LONG
    costs, shares, delays = _token_tables(length)
    many, place = 200 if quick else 500, tokens.Place()
    memory = _table(
        f"Resident memory, {many} sockets and {many} model streams, in MiB",
        "process",
        "sockets alone",
        "all streams open",
        "KiB a stream",
        "all stopped",
    )
    why = ""
    try:
        async with asyncio.timeout(length.seconds), tokens.paced(running) as url:
            async for figure in tokens.measure(running, url, sorted({1, streams, 100}), length, place):
                _take(figure, costs, shares, delays)
            place.name = f"Tertulia, {many} streams open"
            held, begun = await open_streams.measure(running, url, many)
            for one in held:
                each = f"{(one.during - one.before) / many / 1024:.1f}"
                before, during, after = (f"{n / 2**20:.1f}" for n in (one.before, one.during, one.after))
                memory.add_row(one.process, before, during, each, after)
            how = f"{many} streams, 25 begun a second"
            delays.add_row("Tertulia", how, str(many), f"{begun.median:.1f}", f"{begun.worst:.1f}")
    except Stuck as error:
        why = str(error)
    except TimeoutError:
        why = f"{place.name} was being measured after {length.seconds:.0f} s, which is all there is"
    _console.print(costs, shares, delays, memory)
    if why:
        _console.print(f"The run did not come to its end: {why}", highlight=False, markup=False)
        raise typer.Exit(1)


def _take(figure: tokens.Figure, costs: Table, shares: Table, delays: Table) -> None:
    match figure:
        case tokens.Cost():
            cells = (figure.reader, figure.how, str(figure.streams), f"{figure.tokens:,}")
            costs.add_row(*cells, f"{figure.microseconds:.0f}", figure.parts)
        case tokens.Share():
            cells = (figure.reader, figure.how, str(figure.streams))
            shares.add_row(*cells, f"{figure.milliseconds:.1f}", f"{figure.microseconds:.0f}")
        case tokens.Delay():
            cells = (figure.reader, figure.how, str(figure.answers))
            delays.add_row(*cells, f"{figure.median:.1f}", f"{figure.worst:.1f}", figure.parts)
        case tokens.Resident():
            pass  # of these, 500 open streams say more


async def _peers(running: Engines, quick: bool, streams: int) -> None:
    length, place = (tokens.QUICK if quick else tokens.LONG), tokens.Place()
    costs, shares, delays = _token_tables(length)
    memory = _table("Resident memory", "reader", "when", "MiB")
    missing: list[str] = []
    try:
        # Each of them takes as long as we do.
        async with asyncio.timeout(3 * length.seconds), tokens.paced(running) as url:
            async for figure in peers.measure(running, url, sorted({1, streams, 100}), length, place):
                match figure:
                    case tokens.Resident():
                        memory.add_row(figure.reader, figure.how, f"{figure.bytes / 2**20:.0f}")
                    case peers.Missing():
                        missing.append(f"{figure.reader} {figure.why}.")
                    case _:
                        _take(figure, costs, shares, delays)
    except (Stuck, TimeoutError) as error:
        missing.append(f"The run did not come to its end, at {place.name}: {error}")
    _console.print(costs, shares, delays, memory)
    for sentence in missing:
        _console.print(sentence, highlight=False, markup=False)


async def _idle(running: Engines, quick: bool, streams: int) -> None:
    table = _table(
        "Idle connections: ours authenticated, each following a conversation of its own",
        "server",
        "sockets",
        "KiB each",
        "CPU",
    )
    async for found in idle.measure(running, 500 if quick else 5000, 3.0 if quick else 26.0):
        share = f"{found.cpu_share:.1%} of a core for all"
        table.add_row(found.who, f"{found.sockets:,}", f"{found.bytes_each / 1024:.1f}", share)
    _console.print(table)


async def _storm(running: Engines, quick: bool, streams: int) -> None:
    back = _table(
        "Reconnect storm: all come back at once, ours from where they were, while events go on",
        "server",
        "clients",
        "resumed",
        "half back after s",
        "all after s",
        "CPU of server · clients",
        "p99 of live events, calm ms",
        "stormy ms",
    )
    async for found in storm.storms(running, 500 if quick else 2000):
        late = [f"{ms:.0f}" if ms is not None else "" for ms in (found.calm, found.stormy)]
        shares = " · ".join(f"{share:.0%}" for share in found.shares)
        times = (f"{found.half:.1f}", f"{found.all:.1f}", shares)
        back.add_row(found.who, f"{found.clients:,}", f"{found.recovered:,}", *times, *late)
    beside = _table(
        "One slow client, of 1 KB a second, among others: how late their events are",
        "others",
        "events",
        "median without ms",
        "beside ms",
        "p99 without ms",
        "beside ms",
        "moved by (least, most)",
        "by chance",
        "process grew by KiB",
    )
    one = await storm.slow(running, 500, 5.0, 2 if quick else 7)
    (median, p99), (median_beside, p99_beside) = one.without, one.beside
    delays = [f"{ms:.1f}" for ms in (median, median_beside, p99, p99_beside)]
    least, moved, most = one.moved
    changes = (f"{moved:+.0%} ({least:+.0%}, {most:+.0%})", f"{one.alike:.0%}")
    beside.add_row(str(one.others), f"{one.events:,}", *delays, *changes, f"{one.grown / 1024:.0f}")
    _console.print(back, beside)


async def _sends(running: Engines, quick: bool, streams: int) -> None:
    table = _table(
        f"Accepted sends: {sends.CLIENTS} clients, one after the other each",
        "who",
        "how",
        "sends",
        "per second",
        "CPU µs each",
        "median ms",
    )
    async for found in sends.measure(running, 20 if quick else 50):
        cells = (found.who, found.how, f"{found.sends:,}", f"{found.per_second:.0f}")
        table.add_row(*cells, f"{found.microseconds:.0f}", f"{found.median:.1f}")
    _console.print(table)
    table = _table(
        f"How soon a worker has it, at {sends.PER_SECOND} sends a second",
        "who",
        "how",
        "sends",
        "median ms",
        "99th percentile ms",
    )
    async with tokens.paced(running) as url:
        async for delay in sends.queue_latency(running, url, 5 if quick else 20):
            cells = (delay.who, delay.how, f"{delay.sends:,}")
            table.add_row(*cells, f"{delay.median:.1f}", f"{delay.worst:.1f}")
    _console.print(table)


async def _reads(running: Engines, quick: bool, streams: int) -> None:
    messages, times = (20_000, 200) if quick else (200_000, 1000)
    table = _table(
        f"Reads from {messages:,} messages; the reader has a tenth of them",
        "what",
        "how",
        "reads",
        "median ms",
        "99th percentile",
        "plan of one",
    )
    async for found in reads.reading(running, messages, times):
        cells = (found.what, found.how, f"{found.reads:,}", f"{found.median:.2f}", f"{found.worst:.2f}")
        table.add_row(*cells, str(found.plan))
    _console.print(table)
    soon = await reads.searchable(running, 4 if quick else 20)
    pace = f"{soon.messages} messages at {soon.per_second:.0f}/s"
    _console.print(
        f"From accepted to searchable, {pace}: median {soon.median:.0f} ms, 99th percentile {soon.worst:.0f} ms."
    )


async def _cache(running: Engines, quick: bool, streams: int) -> None:
    hits = cache.Hits()
    for count in cache.MESSAGES:
        title = f"A context window of {count} messages of 280 characters, from each level"
        table = _table(title, "what", "how", "times", "median µs", "99th percentile")
        async for cost in cache.measure(running, 200 if quick else 2000, count, hits):
            table.add_row(cost.what, cost.how, f"{cost.times:,}", f"{cost.median:.1f}", f"{cost.worst:.1f}")
        _console.print(table)
    asked = sum(hits.counts.values())
    rates = ", ".join(f"{level} {count / asked:.1%}" for level, count in sorted(hits.counts.items()))
    _console.print(f"Of {asked:,} answers of the cache: {rates}.")


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold")
    for place, column in enumerate(columns):
        words = place == 0 or column in {"how", "when", "processes", "of which", "plan of one"}
        table.add_column(column, justify="left" if words else "right", overflow="fold")
    return table


_PARTS: dict[Part, Callable[[Engines, bool, int], Coroutine[Any, Any, None]]] = {
    Part.FANOUT: _fanout,
    Part.TOKENS: _tokens,
    Part.IDLE: _idle,
    Part.SENDS: _sends,
    Part.STORM: _storm,
    Part.READS: _reads,
    Part.CACHE: _cache,
    Part.PEERS: _peers,
}


if __name__ == "__main__":
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command()(main)
    app()
