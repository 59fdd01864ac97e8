"""The operator's commands, and what they say when something is wrong."""

import asyncio
import json
import socket
from pathlib import Path

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


async def test_the_events_of_nothing(house: House) -> None:
    """A conversation that does not exist is said to have none."""
    code, printed = await run(house, "events", "cnv_1")
    assert (code, printed) == (1, "There are no events of cnv_1.\n")


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


async def test_nothing_is_configured(house: House) -> None:
    """A process alone says what to set, in one sentence."""
    assert await run(house, "web", CHAT_REDIS_URL="") == (
        1,
        "Set CHAT_REDIS_URL, or use `python -m server up`, which brings engines of its own.\n",
    )
    nothing = {"OPENAI_BASE_URL": "", "OPENAI_API_KEY": "", "ANTHROPIC_BASE_URL": ""}
    code, printed = await run(house, "worker", **nothing, ANTHROPIC_API_KEY="", LMSTUDIO_BASE_URL="")
    assert code == 1
    assert printed.startswith("No model is configured: set OPENAI_API_KEY,")
    code, printed = await run(house, "web", CHAT_PROVIDER="elsewhere")
    assert (code, "CHAT_PROVIDER=elsewhere" in printed) == (1, True)


async def test_open_to_others_without_tokens(house: House) -> None:
    """A host that others reach needs a token setting, or the word that anybody may come in."""
    code, printed = await run(house, "web", CHAT_HOST="0.0.0.0", CHAT_AUTH="", CHAT_AUTH_SECRET="")
    assert code == 2
    assert "CHAT_HOST=0.0.0.0 can be reached by others: set CHAT_AUTH_SECRET" in printed
    code, printed = await run(house, "web", CHAT_AUTH_SECRET="short")
    assert code == 2
    assert "CHAT_AUTH_SECRET: Value error, use at least 32 characters" in printed
    assert "'short'" not in printed


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
        for command in ("web", "doctor"):
            code, printed = await run(house, command, CHAT_MONGODB_URL=url)
            assert code == 1
            assert "not a replica set" in printed
            assert "mongod --replSet rs0" in printed
            assert "rs.initiate()" in printed
