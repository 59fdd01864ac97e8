"""A model that does what it is told: a real server of OpenAI's protocol, whose answer stands in the prompt.

    say 200 tokens at 100/s
    say 200 tokens of 50 words at 100/s
    say 20 tokens, then end early          or: break off, fall silent
    refuse with 401
    use look with {"at": 1}
    think 30 tokens at 20/s, cite https://example.org/owls
    say 9 tokens, count 900 in, 800 cached, 70 out, 60 thought          or: count nothing

Asked as `talker-3` it says all of it, and twenty tokens more, whatever it should have failed with; and it goes on with
an answer that was begun, by itself or by repeating the last words, as it is asked to.

Anything else gets a dozen tokens at once. What is said is known beforehand (`spoken`), no two stretches of it are
alike, and it is made of what counting code points, UTF-16 units, bytes and graphemes each count in another way.
"""

import hashlib
import json
import re
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

from anyio.from_thread import start_blocking_portal
from typing_extensions import override

from tests.support.scripted_server import Answer, Request, ScriptedServer, Step
from tests.support.wires import OpenAIWire

MODEL = "talker-1"
OTHER_MODEL = "talker-2"
FINISHER = "talker-3"

_WORDS = (
    "Hola",
    " mañana",
    " n̂e\u0301",
    " 👩🏽‍🚀",
    "\n",
    " 日本語",
    " 🇪🇸",
    "…",
    ' "quoted\\"',
    " नमस्ते",
    "\u2028",
    "\t𝔘",
)
_SAY = re.compile(
    r"say (\d+) tokens(?: of (\d+) words)?(?: at (\d+)/s)?(?:, then (end early|break off|fall silent))?"
)
_GO_ON = re.compile(r"was cut off\..*«(.*)»$", re.DOTALL)
_USE = re.compile(r"use (\w+) with (\{.*\})")
_THINK = re.compile(r"think (\d+) tokens(?: at (\d+)/s)?")
_COUNT = re.compile(r"count (?:(\d+) in, (\d+) cached, (\d+) out, (\d+) thought|nothing)")
_CITE = re.compile(r"cite (\S+)")
_REFUSE = re.compile(r"refuse with (\d+)")
_ENDS: dict[str, list[Step]] = {"end early": [], "break off": ["cut"], "fall silent": ["stall"]}
_BY_DEFAULT = 12
_MORE = 20


def spoken(tokens: int, words: int = 1) -> str:
    """So many tokens of so many words, as one text."""
    return "".join(_token(number, words) for number in range(tokens))


def _token(number: int, words: int) -> str:
    numbers = range(number * words, (number + 1) * words)
    return "".join(f"{_WORDS[one % len(_WORDS)]}{one}" for one in numbers)


class TalkingModel(ScriptedServer):
    """Remembers what it was asked."""

    @property
    def base_url(self) -> str:
        """What `OPENAI_BASE_URL` is set to."""
        return f"{self.url}/v1"

    def requests_for(self, text: str) -> list[dict[str, Any]]:
        """The requests for an answer to a message with this text."""
        return [json.loads(request.body) for request in list(self.requests) if _question(request) == text]

    def was_left(self, text: str) -> bool:
        """Whether the answer to such a message was still being given when its client left."""
        return any(_question(request) == text for request in list(self.left))

    def was_done(self, text: str) -> float:
        """When it had said all that it first said to such a message (`time.monotonic`)."""
        return next(moment for request, moment in list(self.done) if _question(request) == text)

    @override
    def answer(self, request: Request) -> Answer:
        if not request.body:
            models = [{"id": name, "object": "model"} for name in (MODEL, OTHER_MODEL)]
            return Answer([json.dumps({"object": "list", "data": models}).encode()], headers=_JSON)
        asked, kept, again = _conversation(request)
        if json.loads(request.body)["model"] == FINISHER:
            return _finishing(asked, kept, again)
        wire = OpenAIWire()
        if refusal := _REFUSE.search(asked):
            # As careless as a server can be: it quotes the key that it was given.
            message = f"No: {request.headers.get('authorization')}"
            return Answer([wire.refusal("refused", message)], int(refusal[1]), _JSON)
        said = _SAY.search(asked)
        tokens, words = (int(said[1]), int(said[2] or 1)) if said else (_BY_DEFAULT, 1)
        pace, end = (said[3], said[4]) if said else (None, None)
        steps: list[Step] = [wire.opening()]
        if thinks := _THINK.search(asked):
            for number in range(int(thinks[1])):
                steps.append(wire.thinking(_token(number, 1)))
                if thinks[2]:
                    steps.append(1 / int(thinks[2]))
        for text in _pieces(tokens, words, kept, again):
            steps.append(wire.text(text))
            if pace:
                steps.append(1 / int(pace))
        if cites := _CITE.search(asked):
            steps.append(wire.citation(cites[1]))
        headers = {"x-request-id": request_id(asked)}
        if uses := _USE.search(asked):
            steps.append(wire.call("call_1", uses[1], uses[2]))
            return Answer([*steps, wire.closing(tokens, "tool_calls")], headers=headers)
        closing = wire.ending(_account(asked)) if _COUNT.search(asked) else wire.closing(tokens)
        return Answer([*steps, *(_ENDS[end] if end else [closing])], headers=headers)


def request_id(asked: str) -> str:
    """Under which its support would find an answer to this."""
    return f"req_{hashlib.sha256(asked.encode()).hexdigest()[:12]}"


def _account(asked: str) -> dict[str, Any] | None:
    """The usage that is asked for."""
    counts = _COUNT.search(asked)
    if not counts or not counts[1]:
        return None
    read, cached, written, thought = map(int, counts.groups())
    return {
        "prompt_tokens": read,
        "completion_tokens": written,
        "prompt_tokens_details": {"cached_tokens": cached},
        "completion_tokens_details": {"reasoning_tokens": thought},
    }


def finished(tokens: int) -> str:
    """What `talker-3` makes of `say N tokens`."""
    return spoken(tokens + _MORE)


def _finishing(asked: str, kept: str, again: str) -> Answer:
    wire = OpenAIWire()
    found = _SAY.search(asked)
    whole = finished(int(found[1]) if found else _BY_DEFAULT)
    assert whole.startswith(kept)
    rest = again + whole[len(kept) :]
    pieces = [rest[at : at + 7] for at in range(0, len(rest), 7)]
    return Answer([wire.opening(), *map(wire.text, pieces), wire.closing(len(pieces))])


_JSON = {"content-type": "application/json"}


def _question(request: Request) -> str:
    return _conversation(request)[0] if request.body else ""


def _conversation(request: Request) -> tuple[str, str, str]:
    """What is asked; what stands there already of the answer; and how much of that is to be said again."""
    said = [(message["role"], message["content"]) for message in json.loads(request.body)["messages"]]
    if said[-1][0] == "assistant":  # a prefill
        return said[-2][1], said[-1][1], ""
    begun = _GO_ON.search(said[-1][1])
    if begun and said[-2][0] == "assistant":
        return said[-3][1], said[-2][1], begun[1]
    return said[-1][1], "", ""


def _pieces(tokens: int, words: int, kept: str, again: str) -> list[str]:
    """What is still to be said, token by token; first what is to be said again."""
    pieces, length = ([again] if again else []), 0
    for number in range(tokens):
        token = _token(number, words)
        length += len(token)
        if length > len(kept):
            pieces.append(token[-min(length - len(kept), len(token)) :])
    return pieces


@contextmanager
def talking_model() -> Generator[TalkingModel]:
    """Run it, on a thread of its own: it outlives the loops of single tests."""
    with start_blocking_portal() as portal, portal.wrap_async_context_manager(TalkingModel()) as model:
        yield model
