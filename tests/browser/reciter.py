"""A model that says what it is given to say: a real server of OpenAI's protocol, for what the page makes of a text.

recite: **Hola**, said in pieces of four characters, all at once
recite at 50/s: said at fifty pieces a second
think 20 at 50/s, recite at 50/s: twenty pieces of thinking first
"""

import json
import re
from collections.abc import Generator
from contextlib import contextmanager

from anyio.from_thread import start_blocking_portal
from typing_extensions import override

from tests.support.scripted_server import Answer, Request, ScriptedServer, Step
from tests.support.wires import OpenAIWire

_JSON = {"content-type": "application/json"}
_ASKED = re.compile(
    r"(?:think (?P<thoughts>\d+) at (?P<haste>\d+)/s, )?recite(?: at (?P<pace>\d+)/s)?: (?P<text>.*)",
    re.DOTALL,
)
_PIECE = 4
_OMISSION = "…"
_SILENCE = 4.0


class Reciter(ScriptedServer):
    """Recites."""

    @property
    def base_url(self) -> str:
        """What `OPENAI_BASE_URL` is set to."""
        return f"{self.url}/v1"

    @override
    def answer(self, request: Request) -> Answer:
        if not request.body:
            return Answer(
                [json.dumps({"object": "list", "data": [{"id": "reciter", "object": "model"}]}).encode()],
                headers=_JSON,
            )
        wire = OpenAIWire()
        steps: list[Step] = [wire.opening()]
        asked = _ASKED.search(json.loads(request.body)["messages"][-1]["content"])
        text = asked["text"] if asked else "What shall I recite?"
        for number in range(int(asked["thoughts"] or 0) if asked else 0):
            steps += [wire.thinking(f"thought {number} "), 1 / int(asked["haste"])]
        for at in range(0, len(text), _PIECE):
            piece = text[at : at + _PIECE]
            steps.append(wire.text(piece))
            if _OMISSION in piece:
                steps.append(_SILENCE)
            if asked and asked["pace"]:
                steps.append(1 / int(asked["pace"]))
        return Answer([*steps, wire.closing(len(text) // _PIECE)])


@contextmanager
def reciter() -> Generator[Reciter]:
    """Run it, on a thread of its own."""
    with start_blocking_portal() as portal, portal.wrap_async_context_manager(Reciter()) as model:
        yield model
