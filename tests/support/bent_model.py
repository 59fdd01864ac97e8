"""The real model as a double: it answers as it does, and what it never does by itself a `Meddler` makes of it."""

from typing_extensions import override

from providers.contract import FinishReason, Prompt
from tests.support.meddler import Meddler, until_piece
from tests.support.model_doubles import Double
from tests.support.providers import asking
from tests.support.scripted_server import Answer
from tests.support.wires import Wire

_BEFORE_THE_FAULT = 4


class BentModel(Double):
    """What it says is known once it has said it."""

    def __init__(self, front: Meddler, wire: Wire) -> None:
        self._front = front
        self._wire = wire
        self.base_url = front.base_url
        self.prompt = asking("Tell me a long story about the sea.", max_tokens=24)

    @property
    @override
    def text(self) -> str:
        return self._front.said

    @property
    @override
    def hits(self) -> int:
        return len(self._front.requests)

    @override
    def behave(self) -> None:
        self._front.bend(lambda events: events)

    @override
    def finish(self, reason: FinishReason) -> Prompt:
        return {"stop": asking("Say hello.", max_tokens=300), "length": asking("Count.", max_tokens=5)}[
            reason
        ]

    @override
    def refuse(self, status: int, *, retry_after: float | None = None, times: int | None = None) -> None:
        headers = {"content-type": "application/json"}
        if retry_after is not None:
            headers["retry-after"] = str(retry_after)
        self._front.instead(Answer([self._wire.refusal("of_some_kind", "No.")], status, headers), times)

    @override
    def stay_silent(self) -> None:
        self._front.bend(lambda events: [*until_piece(events, 0), "stall"])

    @override
    def stall(self) -> None:
        self._front.bend(lambda events: [*_part(events), "stall"])

    @override
    def end_early(self) -> None:
        self._front.bend(_part)

    @override
    def break_off(self) -> None:
        self._front.bend(lambda events: [*_part(events), "cut"])

    @override
    def garble(self) -> None:
        self._front.bend(lambda events: [*_part(events), b'data: {"half": \n\n', *events])


def _part(events: list[bytes]) -> list[bytes]:
    return until_piece(events, _BEFORE_THE_FAULT)
