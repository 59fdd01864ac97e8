"""The operator's commands, and what they say when something is wrong."""

import asyncio
import json
import os
import re
import socket
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from server.embedded.child import Child, Program
from server.embedded.port import free_port
from server.embedded.wheel import wheel_file
from tests.support.client import Http, chat
from tests.support.house import API_KEY, SECRET, House


async def run(house: House, *command: str, **more: str) -> tuple[int, str]:
    """Run a command: its exit code, and all that it wrote."""
    done = await asyncio.to_thread(house.run, *command, **more)
    assert "Traceback" not in done.stderr
    return done.returncode, done.stdout + done.stderr


async def test_a_token_for_scripts(house: House) -> None:
    """`token --user grace` prints one that works at once."""
    code, printed = await run(house, "token", "--user", "grace")
    assert code == 0
    async with chat(house.here, printed.strip()) as device:
        assert device.heard[0]["user"] == "grace"


async def test_a_token_for_nobody(house: House) -> None:
    """A user that no token may name is refused, and not found out by whoever uses the token."""
    for nobody in ("", "x" * 129):
        code, printed = await run(house, "token", "--user", nobody)
        assert (code, "1 to 128 characters" in printed) == (2, True)


@pytest.mark.parametrize("command", ["audit", "compare"])
async def test_a_long_command_tells_how_far_it_has_come(house: House, ada: Http, command: str) -> None:
    """On a line of the terminal that is gone in the end; nothing of it where stderr goes to a file."""
    conversation = await ada.conversation()
    arguments = [command] if command == "audit" else [command, conversation]
    code, printed = await run(house, *arguments)
    assert "\x1b" not in printed
    ours, theirs = os.openpty()
    argv = [sys.executable, "-m", "server", *arguments]
    process = await asyncio.create_subprocess_exec(
        *argv, env=house.environment, stdout=asyncio.subprocess.DEVNULL, stderr=theirs
    )
    os.close(theirs)
    seen = b""
    with suppress(OSError):  # at its end, of a terminal that nobody writes to any more
        while chunk := await asyncio.to_thread(os.read, ours, 4096):
            seen += chunk
    os.close(ours)
    assert await process.wait() == code
    first, *_, last = seen.decode().split("\r\x1b[K")[1:]
    assert re.fullmatch(r"1 of [\d,]+ conversations \w+ …", first)
    assert last == ""


async def test_the_events_of_nothing(house: House) -> None:
    """A conversation that does not exist is said to have none."""
    code, printed = await run(house, "events", "cnv_1")
    assert (code, printed) == (1, "There are no events of cnv_1.\n")


async def test_an_address_that_is_none(house: House) -> None:
    """`chat` says what is wrong with it, and not that nobody answers there."""
    code, printed = await run(house, "chat", "--url", "localhost:8004")
    assert (code, "begins with http://" in printed) == (2, True)


async def test_what_is_not_there_is_not_the_same(house: House) -> None:
    """`compare` of a conversation that does not exist says that, and not that nothing differs."""
    code, printed = await run(house, "compare", "cnv_1")
    assert (code, printed) == (1, "There is no conversation cnv_1.\n")


async def test_the_history_of_a_conversation(house: House, ada: Http) -> None:
    """JSON lines, readable as they are: no escapes for what is not ASCII."""
    conversation = await ada.conversation(title="¿Qué tal?")
    await ada.ask("DELETE", f"/v1/conversations/{conversation}", status=204)
    code, printed = await run(house, "events", conversation)
    assert code == 0
    assert "¿Qué tal?" in printed
    events = [json.loads(line) for line in printed.splitlines()]
    assert [event["type"] for event in events] == ["conversation.created", "conversation.deleted"]


async def test_a_doctor_who_finds_nothing(house: House) -> None:
    """Exit code 0; engines and providers are named, and no secret is."""
    code, printed = await run(house, "doctor")
    assert code == 0, printed
    for part in ("MongoDB", "Redis", "openai (default)", "anthropic", "lmstudio"):
        assert part in printed
    assert API_KEY not in printed
    assert SECRET not in printed


async def test_a_doctor_who_finds_something(house: House) -> None:
    """Exit code 1, and each trouble with its mend."""
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        nowhere = f"127.0.0.1:{deaf.getsockname()[1]}"
        wrong = {
            "CHAT_REDIS_URL": f"redis://{nowhere}/0",
            "CHAT_MONGODB_URL": f"mongodb://{nowhere}/?replicaSet=rs0",
            "OPENAI_BASE_URL": f"http://{nowhere}/v1",
        }
        code, printed = await run(house, "doctor", **wrong)
    assert code == 1
    for mend in ("Check CHAT_REDIS_URL.", "Check CHAT_MONGODB_URL.", "provider_unreachable"):
        assert mend in printed


@pytest.mark.parametrize("setting", ["CHAT_PROVIDER", "CHAT_FALLBACKS", "CHAT_SUMMARY_PROVIDER"])
async def test_a_doctor_who_finds_a_provider_that_there_is_not(house: House, setting: str) -> None:
    """What no process would start with is told, whoever is configured; so it is beside an `up` with its own model."""
    configured, beside = await asyncio.gather(
        run(house, "doctor", **{setting: "nobody"}),
        run(
            house,
            "doctor",
            **dict.fromkeys(("OPENAI_API_KEY", "OPENAI_BASE_URL", "ANTHROPIC_API_KEY"), ""),
            **dict.fromkeys(("ANTHROPIC_BASE_URL", "LMSTUDIO_BASE_URL"), ""),
            **{"CHAT_LOCAL_MODEL_URL": house.model.base_url, setting: "nobody"},
        ),
    )
    for code, printed in (configured, beside):
        assert (code, f"{setting}=nobody, but only" in " ".join(printed.split())) == (1, True), printed


async def test_nothing_is_configured(house: House) -> None:
    """A process alone says what to set, in one sentence."""
    no_keys = {"OPENAI_API_KEY": "", "ANTHROPIC_API_KEY": ""}
    no_urls = {"OPENAI_BASE_URL": "", "ANTHROPIC_BASE_URL": "", "LMSTUDIO_BASE_URL": ""}
    no_engine, no_model, no_such_provider = await asyncio.gather(
        run(house, "web", CHAT_REDIS_URL=""),
        run(house, "worker", **no_keys, **no_urls),
        run(house, "web", CHAT_PROVIDER="elsewhere"),
    )
    sentence = "Set CHAT_REDIS_URL, or use `python -m server up`, which brings engines of its own.\n"
    assert no_engine == (1, sentence)
    assert (no_model[0], no_model[1].partition(",")[0]) == (1, "No model is configured: set OPENAI_API_KEY")
    sentence = "CHAT_PROVIDER=elsewhere, but only openai, anthropic, lmstudio is configured.\n"
    assert no_such_provider == (1, sentence)


@pytest.mark.parametrize(
    ("name", "value", "code", "said"),
    [
        ("CHAT_REDIS_URL", "nowhere", 2, "CHAT_REDIS_URL: an address begins with redis://, rediss://,"),
        ("CHAT_MONGODB_URL", "nowhere", 2, "CHAT_MONGODB_URL: an address begins with mongodb://,"),
        ("CHAT_AUTH_JWKS_URL", "nowhere", 2, "CHAT_AUTH_JWKS_URL: an address begins with http://,"),
        ("CHAT_MONGODB_URL", "mongodb://a:b:c/", 1, "CHAT_MONGODB_URL is no address of a database: "),
        ("CHAT_MONGODB_DATABASE", "a/b", 1, "CHAT_MONGODB_DATABASE is no name of a database: "),
    ],
)
async def test_what_is_no_address(house: House, name: str, value: str, code: int, said: str) -> None:
    """It is said which setting it is, before anything is tried."""
    ended, printed = await run(house, "events", "cnv_1", **{name: value})
    assert ended == code
    assert printed.startswith(said)


async def test_a_port_that_is_taken(house: House) -> None:
    """A web process and a worker say so, and end, with everything that they had opened."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        web, worker = await asyncio.gather(
            run(house, "web", CHAT_PORT=port), run(house, "worker", CHAT_WORKER_METRICS_PORT=port)
        )
    assert web[0] == worker[0] == 1
    assert web[1].startswith(f"Port {port} of 127.0.0.1 cannot be used (Address already in use).")
    assert "Address already in use" in worker[1].splitlines()[-1]


async def test_comparing_what_is_not_there(house: House) -> None:
    """A conversation that is named and does not exist is no proof of anything."""
    code, printed = await run(house, "compare", "cnv_1")
    assert code == 1
    assert printed.startswith("There is no conversation cnv_1.")


async def test_open_to_others_without_tokens(house: House) -> None:
    """A host that others reach needs a token setting, or the word that anybody may come in."""
    unguarded, guessable = await asyncio.gather(
        run(house, "web", CHAT_HOST="0.0.0.0", CHAT_AUTH="", CHAT_AUTH_SECRET=""),
        run(house, "web", CHAT_AUTH_SECRET="short"),
    )
    assert unguarded[0] == guessable[0] == 2
    assert "CHAT_HOST=0.0.0.0 can be reached by others: set CHAT_AUTH_SECRET" in unguarded[1]
    assert "CHAT_AUTH_SECRET: use at least 32 characters" in guessable[1]
    assert "'short'" not in guessable[1]


async def test_a_mongodb_that_is_no_replica_set(house: House, tmp_path: Path) -> None:
    """It is said, with the commands that mend it."""
    binary, port = wheel_file("fiftyone", "db/bin/mongod"), free_port()
    assert binary

    async def ready() -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    argv = [str(binary), "--dbpath", str(tmp_path), "--port", str(port), "--bind_ip", "127.0.0.1"]
    argv += ["--nounixsocket", "--setParameter", "diagnosticDataCollectionEnabled=false"]
    program = Program(name="alone", argv=argv, log=tmp_path / "log", ready=ready)
    async with Child(program, lambda line: None) as mongod:
        await mongod.wait_ready()
        url = f"mongodb://127.0.0.1:{port}/"
        runs = (run(house, command, CHAT_MONGODB_URL=url) for command in ("web", "doctor"))
        for code, printed in await asyncio.gather(*runs):
            assert code == 1
            assert "not a replica set" in printed
            assert "mongod --replSet rs0" in printed
            assert "rs.initiate()" in printed
