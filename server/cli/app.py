"""The command line: each command is a few lines here and its work elsewhere."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from pathlib import Path
from typing import Annotated, Any, cast, get_args

import typer
from pydantic import ValidationError

from realtime.errors import Unavailable as EngineAway
from realtime.queue.contract import State
from server import wiring
from server.cli.audit import audit as audit_everything
from server.cli.chat import ChatFailed, Terminal
from server.cli.compare import compare as compare_everything
from server.cli.doctor import examine
from server.cli.jobs import Jobs, NoSuchJob
from server.cli.jobs import jobs as open_jobs
from server.cli.processes import run, serve_web, serve_worker
from server.cli.replay import rebuild
from server.cli.up import up as up_everything
from server.domain.errors import ChatError, Unavailable
from server.embedded.errors import EmbeddedError
from server.embedded.running import engines_on
from server.settings import Settings
from server.storage.database import NotAnAddress, NotAReplicaSet, database
from server.storage.event_store import EventStore
from server.telemetry import configure_logging
from server.web.auth import LONGEST_ID, Tokens, User
from server.wiring.reading import PROJECTIONS

_OF_THE_OPERATOR = (
    wiring.NotConfigured,
    NotAReplicaSet,
    NotAnAddress,
    EmbeddedError,
    ChatError,
    ChatFailed,
    EngineAway,
    NoSuchJob,
)

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Tertulia: a real-time chat server for conversations with language models.",
)


@app.command()
def up() -> None:
    """Run everything on this machine; engines that are not configured are brought along."""
    _guarded(up_everything(_settings("up"), lambda line: typer.echo(line)))


@app.command()
def web() -> None:
    """Run a web process against the configured engines."""
    _guarded(serve_web(_settings("web")))


@app.command()
def worker(
    ready_file: Annotated[Path | None, typer.Option(help="Touched once the worker takes jobs.")] = None,
) -> None:
    """Run a worker process against the configured engines."""
    _guarded(serve_worker(_settings("worker"), ready_file))


@app.command()
def chat(
    conversation: Annotated[str | None, typer.Argument(help="One to go on with; a new one without.")] = None,
    url: Annotated[
        str, typer.Option(envvar="CHAT_URL", help="Where the server is.")
    ] = "http://127.0.0.1:8004",
    token: Annotated[str | None, typer.Option(envvar="CHAT_TOKEN", help="A guest's without.")] = None,
) -> None:
    """Talk in the terminal: live tokens, Ctrl-C stops a reply, Ctrl-D leaves."""
    if not url.startswith(("http://", "https://")):
        raise typer.BadParameter("An address begins with http:// or https://.", param_hint="--url")
    _guarded(Terminal(url, token, conversation).run())


@app.command()
def doctor() -> None:
    """Say what is configured, reach each engine, print what is wrong and the mend."""
    raise typer.Exit(asyncio.run(examine(_beside_up("doctor"))))


@app.command()
def token(user: Annotated[str, typer.Option(help="The user's id, and name.")]) -> None:
    """Print a signed token, for scripts."""
    if not 1 <= len(user) <= LONGEST_ID:
        raise typer.BadParameter(f"A user's id has 1 to {LONGEST_ID} characters.", param_hint="--user")
    _guarded(_print_token(_settings("token"), user))


@app.command()
def events(conversation: Annotated[str, typer.Argument(help="Its id, cnv_….")]) -> None:
    """Print the stored events of a conversation, as JSON lines."""
    _guarded(_print_events(_beside_up("events"), conversation))


@app.command()
def replay(projection: Annotated[str, typer.Argument(help=" or ".join(PROJECTIONS))]) -> None:
    """Rebuild a projection from the stored events, beside the live one, and put it in its place."""
    if projection not in PROJECTIONS:
        raise typer.BadParameter(f"A projection is one of {', '.join(PROJECTIONS)}.", param_hint="projection")
    _guarded(rebuild(_beside_up("replay"), projection, lambda line: typer.echo(line)))


@app.command()
def compare(
    conversations: Annotated[list[str] | None, typer.Argument(help="These alone; all without.")] = None,
) -> None:
    """Replay the stored events into an empty database; exit code 1 if that makes other documents than are stored."""

    async def check() -> None:
        if code := await compare_everything(settings, conversations or (), lambda line: typer.echo(line)):
            raise typer.Exit(code)

    settings = _beside_up("compare")
    _guarded(check())


@app.command()
def audit(
    young: Annotated[
        float, typer.Option(help="Seconds that a reply may take without being a finding.", min=0)
    ] = 900,
) -> None:
    """Prove over all that is stored that every promise was kept; exit code 1 where one was not."""

    async def check() -> None:
        if code := await audit_everything(settings, young):
            raise typer.Exit(code)

    settings = _beside_up("audit")
    _guarded(check())


jobs_app = typer.Typer(no_args_is_help=True, help="Look into the queue, and see to single jobs.")
app.add_typer(jobs_app, name="jobs")


@jobs_app.command("list")
def list_jobs(
    lane: Annotated[str | None, typer.Option(help="Of one provider only.")] = None,
    state: Annotated[str | None, typer.Option(help="waiting, working, later or dead.")] = None,
) -> None:
    """List what waits, is worked on, is to be tried again, or was given up."""
    if state not in (None, *get_args(State)):
        typer.secho(f"A state is one of {', '.join(get_args(State))}.", fg="red", err=True)
        raise typer.Exit(2)
    _with_jobs(lambda jobs: jobs.list(lane, cast("State | None", state)))


@jobs_app.command("show")
def show_job(job: str) -> None:
    """Show one job, and what became of its reply."""
    _with_jobs(lambda jobs: jobs.show(job))


@jobs_app.command("retry")
def retry_job(job: str) -> None:
    """Give a job that is dead, or to be tried later, its turn now."""
    _with_jobs(lambda jobs: jobs.retry(job))


@jobs_app.command("drop")
def drop_job(job: str) -> None:
    """Forget a job; its reply is cancelled, where it has not ended."""
    _with_jobs(lambda jobs: jobs.drop(job))


def _with_jobs(work: Callable[[Jobs], Awaitable[None]]) -> None:
    async def do() -> None:
        async with open_jobs(settings) as jobs:
            await work(jobs)

    settings = _beside_up("jobs")
    _guarded(do())


async def _print_token(settings: Settings, user: str) -> None:
    secret = wiring.ensure_secret(settings).auth_secret
    assert secret is not None
    typer.echo(Tokens(secret.get_secret_value()).issue(User(user, user)))


async def _print_events(settings: Settings, conversation: str) -> None:
    if settings.mongodb_url is None:
        raise wiring.NotConfigured("Set CHAT_MONGODB_URL, or run `up` here, whose database is used.")
    async with database(settings.mongodb_url, settings.mongodb_database) as client:
        found = False
        async for stored in EventStore(client).replay(conversation):
            found = True
            said = stored.event.model_dump(mode="json")
            line = {"version": stored.version, "form": stored.event.form, "meta": stored.meta, **said}
            typer.echo(json.dumps(line, ensure_ascii=False))
    if not found:
        raise wiring.NotConfigured(f"There are no events of {conversation}.")


def _settings(process: str) -> Settings:
    try:
        settings = Settings()
    except ValidationError as error:
        for fault in error.errors(include_url=False, include_input=False):
            name = ".".join(str(place) for place in fault["loc"])
            said = fault["msg"].removeprefix("Value error, ")
            typer.secho(f"{name + ': ' if name else ''}{said}", fg="red", err=True)
        raise typer.Exit(2) from None
    configure_logging(settings.log, process)
    return settings


def _beside_up(process: str) -> Settings:
    """The settings of a command about a house: engines that are not configured are those of the `up` that runs here.

    Where a configured one is none of its own, but it has brought one along, `up` is another house.
    """
    settings = _settings(process)
    running = engines_on(settings.data_dir)
    brought = {"mongodb_url": running.mongodb, "redis_url": running.redis, "local_model_url": running.model}
    if any(url is not None and getattr(settings, name) is not None for name, url in brought.items()):
        return settings
    return settings.model_copy(update={name: url for name, url in brought.items() if url is not None})


def _guarded(work: Coroutine[Any, Any, None]) -> None:
    """Run a process; what an operator can mend is said in a sentence, without a traceback."""
    try:
        run(work)
    except Exception as error:
        # Of all that may end a process, what is an operator's matter is looked for; the rest goes its way, unchanged.
        found = _alone(error)
        if isinstance(found, typer.Exit):
            raise found from None
        if not isinstance(found, (*_OF_THE_OPERATOR, OSError)):
            raise
        typer.secho(_sentence(found), fg="red", err=True)
        raise typer.Exit(1) from None


def _alone(error: Exception) -> Exception:
    """What went wrong, where a group of tasks has wrapped it up."""
    inside: Sequence[Exception] = getattr(error, "exceptions", ())  # of a group alone
    return _alone(inside[0]) if len(inside) == 1 else error


def _sentence(error: Exception) -> str:
    match error:
        case Unavailable(__cause__=Exception() as cause):
            return f"{error} ({type(cause).__name__}) `python -m server doctor` says more."
        case EngineAway():
            return f"An engine cannot be reached ({error}). `python -m server doctor` says more."
        case _:
            return str(error)
