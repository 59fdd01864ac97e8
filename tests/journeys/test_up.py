"""`python -m server up` on a bare machine: nothing is configured, and a real model answers."""

import asyncio
from pathlib import Path

from server.embedded.model import ALIAS
from tests.support.client import chat, http, sha256
from tests.support.family import descendants, until_all_gone
from tests.support.house import clean_environment, run, up


async def test_a_conversation_with_the_real_model(tmp_path: Path) -> None:
    """From the first line to the last: an answer of the embedded model, resumed in its middle, then Ctrl-C."""
    async with up(tmp_path / "data") as house, http(house.url) as ada:
        conversation = await ada.conversation()
        async with chat(house.url, ada.token) as device:
            await device.subscribe(conversation)
            sent = await device.send(conversation, "Count from one to ten.", reply={"max_tokens": 60})
            await device.until_text(sent["reply"])
            reader = device.reader
            device.socket.transport.abort()
        async with chat(house.url, ada.token, reader) as device:
            assert (await device.subscribe(conversation, after=reader.after))["recovered"]
            end = await device.until_end(sent["reply"])
        assert end["type"] == "reply.completed"
        assert end["usage"]["exact"]
        stored = await ada.message(conversation, sent["reply"])
        assert (stored["provider"], stored["model"]) == ("local", ALIAS)
        assert stored["text"] == reader.texts[sent["reply"]]
        assert sha256(stored["text"]) == end["sha256"]
        # What an operator asks is asked of the engines that run here, without any setting.
        beside = clean_environment(CHAT_DATA_DIR=str(tmp_path / "data"))
        commands = (("doctor",), ("events", conversation), ("jobs", "list"), ("audit",), ("compare",))
        for command in commands:
            done = await asyncio.to_thread(run, *command, environment=beside)
            assert done.returncode == 0, done.stdout + done.stderr
            if command[0] == "doctor":
                assert "6.0.5, a replica set" in done.stdout
        family = descendants(house.pid)
        house.terminate()
        assert await house.ended() == 0
        await until_all_gone(family)
        done = await asyncio.to_thread(run, "events", conversation, environment=beside)
        assert (done.returncode, "Set CHAT_MONGODB_URL" in done.stderr) == (1, True)
        logs = "".join(path.read_text() for path in (tmp_path / "data" / "logs").glob("w*.log"))
        assert '"level": "error"' not in logs
