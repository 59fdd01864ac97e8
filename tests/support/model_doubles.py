"""Doubles of a model's server that fail on demand, each in its own way, for one suite."""

import json
import subprocess
import urllib.request
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from llmock.pytest_plugin import LLMock
from llmock.scenarios import Reply, ToolCall
from typing_extensions import override

from providers.contract import FinishReason, Prompt
from server.embedded.port import LOOPBACK, free_port
from tests.support.providers import asking
from tests.support.scripted_server import Answer, ScriptedServer
from tests.support.wires import Wire, answer

TEXT = "One two three four five six seven eight nine ten."
_PIECES = [word if word.endswith(".") else f"{word} " for word in TEXT.split(" ")]
_BEFORE_THE_FAULT = 4
_WORDS = {"stop": "stop", "length": "length", "tool": "tool_calls", "filter": "content_filter"}
"""Why an answer ends, as both doubles of others want to be told."""


class Double(Protocol):
    """A server that answers well, or fails as it is told to, until it is told otherwise."""

    base_url: str
    """Where a provider finds it."""
    prompt: Prompt = asking("Count.")
    """What it is asked."""

    @property
    def text(self) -> str:
        """What it answers, or would have."""
        return TEXT

    @property
    def hits(self) -> int:
        """How many requests it has had."""
        ...

    def behave(self) -> None:
        """Answer well."""
        ...

    def finish(self, reason: FinishReason) -> Prompt:
        """Answer well, and stop for this reason; what is to be asked for it."""
        ...

    def refuse(self, status: int, *, retry_after: float | None = None, times: int | None = None) -> None:
        """Answer with an error, so many times or always, and well afterwards."""
        ...

    def stay_silent(self) -> None:
        """Begin the response, but never the answer."""
        ...

    def stall(self) -> None:
        """Fall silent in the middle."""
        ...

    def end_early(self) -> None:
        """End the response in good order, but without the end of the answer."""
        ...

    def break_off(self) -> None:
        """Drop the connection in the middle."""
        ...

    def garble(self) -> None:
        """Send an event in the middle that is no JSON."""
        ...


class LLMockDouble(Double):
    """The double that others maintain, which knows the protocols better than we do."""

    def __init__(self, llmock: LLMock, wire: Wire) -> None:
        self._llmock = llmock
        self._llmock.reply(TEXT, times=None)
        self.base_url = llmock.base_url(wire.kind)

    @property
    @override
    def hits(self) -> int:
        return len(self._llmock.requests)

    @override
    def behave(self) -> None:
        pass

    @override
    def finish(self, reason: FinishReason) -> Prompt:
        calls = (ToolCall("look", {"at": 1}),) if reason == "tool" else ()
        self._llmock.reset().add(Reply(TEXT, calls, _WORDS[reason], times=None))
        return self.prompt

    @override
    def refuse(self, status: int, *, retry_after: float | None = None, times: int | None = None) -> None:
        self._llmock.fail(status, retry_after=retry_after, times=times)

    @override
    def stay_silent(self) -> None:
        self._llmock.slow_first_token(60, times=None)

    @override
    def stall(self) -> None:
        self._llmock.stall(after_chunks=_BEFORE_THE_FAULT, seconds=60, times=None)

    @override
    def end_early(self) -> None:
        self._llmock.truncate(after_chunks=_BEFORE_THE_FAULT, times=None)

    @override
    def break_off(self) -> None:
        self._llmock.disconnect(after_chunks=_BEFORE_THE_FAULT, times=None)

    @override
    def garble(self) -> None:
        self._llmock.corrupt(after_chunks=_BEFORE_THE_FAULT, times=None)


class ScriptedDouble(Double):
    """The double that says exactly what the script says."""

    def __init__(self, server: ScriptedServer, wire: Wire) -> None:
        self._server = server
        self._wire = wire
        self._whole = answer(wire, _PIECES)
        self._part = self._whole[:_BEFORE_THE_FAULT]
        self.base_url = server.url + wire.base_path

    @property
    @override
    def hits(self) -> int:
        return len(self._server.requests)

    @override
    def behave(self) -> None:
        self._server.script(Answer(self._whole))

    @override
    def finish(self, reason: FinishReason) -> Prompt:
        assert reason == "stop"
        self.behave()
        return self.prompt

    @override
    def refuse(self, status: int, *, retry_after: float | None = None, times: int | None = None) -> None:
        headers = {"content-type": "application/json"}
        if retry_after is not None:
            headers["retry-after"] = str(retry_after)
        refusal = Answer([self._wire.refusal("of_some_kind", "No.")], status, headers)
        self._server.script(*[refusal] * (times or 1))
        if times:
            self.behave()

    @override
    def stay_silent(self) -> None:
        self._server.script(Answer([self._wire.opening(), "stall"]))

    @override
    def stall(self) -> None:
        self._server.script(Answer([*self._part, "stall"]))

    @override
    def end_early(self) -> None:
        self._server.script(Answer(self._part))

    @override
    def break_off(self) -> None:
        self._server.script(Answer([*self._part, "cut"]))

    @override
    def garble(self) -> None:
        self._server.script(Answer([*self._part, b'data: {"half": \n\n', *self._whole]))


_ACCOUNT = {"input_tokens": 7, "output_tokens": 5, "prompt_tokens": 7, "completion_tokens": 5}
"""In the words of both wires: left to itself, aimock counts nothing on one of them."""

_AIMOCK = Path(__file__).parents[2] / "node_modules" / "@copilotkit" / "aimock" / "dist" / "cli.js"


class AimockDouble(Double):
    """A double from the world of JavaScript, in a process of its own; it is told what to do over HTTP."""

    def __init__(self, url: str, wire: Wire) -> None:
        self._url = url
        self._kind = wire.kind
        self.base_url = url + wire.base_path
        self._control("reset", {})
        self.behave()

    @property
    @override
    def hits(self) -> int:
        entries: Any = self._control("journal", None)
        return len(entries if isinstance(entries, list) else entries["entries"])

    @override
    def behave(self) -> None:
        self._say({})

    @override
    def finish(self, reason: FinishReason) -> Prompt:
        # It knows no refusals of Anthropic's, and hands on what it does not know.
        word = "refusal" if reason == "filter" and self._kind == "anthropic" else _WORDS[reason]
        response: dict[str, Any] = {"content": TEXT, "usage": _ACCOUNT, "finishReason": word}
        if reason == "tool":
            response["toolCalls"] = [{"name": "look", "arguments": '{"at": 1}'}]
        self._say({"response": response})
        return self.prompt

    @override
    def refuse(self, status: int, *, retry_after: float | None = None, times: int | None = None) -> None:
        error: dict[str, Any] = {"message": "No.", "type": "of_some_kind"}
        fixture: dict[str, Any] = {"response": {"error": error, "status": status}}
        if retry_after is not None:
            fixture["response"]["retryAfter"] = retry_after
        for number in range(times or 1):
            self._say(fixture, **({"sequenceIndex": number} if times else {}))
        if times:
            self._say({}, keep=True)

    @override
    def stay_silent(self) -> None:
        self._say({"streamingProfile": {"ttft": 60_000, "tps": 100}})

    @override
    def stall(self) -> None:
        self._say({"streamingProfile": {"ttft": 1, "tps": 1}})

    @override
    def end_early(self) -> None:
        self._say({"latency": 20, "truncateAfterChunks": _BEFORE_THE_FAULT})

    @override
    def break_off(self) -> None:
        self._say({"latency": 30, "disconnectAfterMs": 200})

    @override
    def garble(self) -> None:
        self._say({"chaos": {"malformedRate": 1.0}})

    def _say(self, fixture: dict[str, Any], *, keep: bool = False, **match: Any) -> None:
        if not keep and not match.get("sequenceIndex"):
            self._control("reset", {})
        said = {"response": {"content": TEXT, "usage": _ACCOUNT}, "chunkSize": 5, **fixture}
        fixtures = [{"match": {"userMessage": word, **match}, **said} for word in ("Count.", "Say hello.")]
        self._control("fixtures", {"fixtures": fixtures})

    def _control(self, what: str, body: Any) -> Any:
        data = None if body is None else json.dumps(body).encode()
        headers = {"content-type": "application/json"}
        request = urllib.request.Request(f"{self._url}/__aimock/{what}", data, headers)
        with urllib.request.urlopen(request, timeout=10) as response:
            return json.loads(response.read() or b"null")


@contextmanager
def aimock(folder: Path) -> Generator[str]:
    """Run it; gives its address."""
    (folder / "none.json").write_text('{"fixtures": []}')
    port = free_port()
    argv = ["node", str(_AIMOCK), "--port", str(port), "--fixtures", str(folder / "none.json")]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        try:
            assert process.stdout
            while "listening" not in process.stdout.readline():
                assert process.poll() is None
            yield f"http://{LOOPBACK}:{port}"
        finally:
            process.kill()
