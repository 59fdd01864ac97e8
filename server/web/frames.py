"""The frames of a client, as in docs/protocol.md. Unknown fields are refused: a misspelt option would be ignored."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from realtime.log.contract import Position
from realtime.session import ClientFrame
from server.domain.message import Archiving, Edit, NewMessage, Regeneration
from server.web.problems import decoding_refusal

Identifier = Annotated[str, Field(min_length=1, max_length=64)]
Topic = Annotated[str, Field(min_length=1, max_length=140)]
"""A conversation, or `list:` and one's own user id: one's list of conversations."""


class _Frame(BaseModel):
    model_config = ConfigDict(extra="forbid")

    id: str | None = Field(default=None, max_length=64, description="The answer carries the same.")


class Hello(_Frame):
    """The first frame; without a token only if the handshake carried one."""

    type: Literal["hello"]
    token: str | None = Field(default=None, max_length=16_384)


class After(BaseModel):
    """Where a client is: the epoch of the log and the last offset that it has seen."""

    model_config = ConfigDict(extra="forbid")

    epoch: Identifier
    offset: int = Field(ge=0)


class Subscribe(_Frame):
    """Follow a conversation, from where one was or from a snapshot."""

    type: Literal["subscribe"]
    conversation: Topic
    after: After | None = None

    @property
    def position(self) -> Position | None:
        """Where the client is, if it was there before."""
        return Position(self.after.epoch, self.after.offset) if self.after else None


class Unsubscribe(_Frame):
    """Follow a conversation no longer."""

    type: Literal["unsubscribe"]
    conversation: Topic


class Send(NewMessage, _Frame):
    """Say something, and ask for a reply."""

    type: Literal["send"]
    conversation: Identifier


class Cancel(_Frame):
    """Stop a reply."""

    type: Literal["cancel"]
    reply: Identifier


class Typing(_Frame):
    """The user has begun to type, still does, or has stopped."""

    type: Literal["typing"]
    conversation: Identifier
    on: bool


class Regenerate(Regeneration, _Frame):
    """Ask for another answer; the earlier ones are kept beside it."""

    type: Literal["regenerate"]
    reply: Identifier


class EditMessage(Edit, _Frame):
    """Say one's message differently, with another reply."""

    type: Literal["edit"]
    message: Identifier


class Choose(_Frame):
    """Go on with the branch on which a message lies."""

    type: Literal["choose"]
    message: Identifier


class Retract(_Frame):
    """Take a message back."""

    type: Literal["retract"]
    message: Identifier


class Archive(Archiving, _Frame):
    """Put a message away, or take it out again."""

    type: Literal["archive"]
    message: Identifier


class Ping(_Frame):
    """Is the line alive?"""

    type: Literal["ping"]


Verb = Send | Cancel | Regenerate | EditMessage | Choose | Retract | Archive
Frame = Hello | Subscribe | Unsubscribe | Verb | Typing | Ping
FRAMES: tuple[type[BaseModel], ...] = (
    Hello,
    Subscribe,
    Unsubscribe,
    Send,
    Cancel,
    Regenerate,
    EditMessage,
    Choose,
    Retract,
    Archive,
    Typing,
    Ping,
)

_frame: TypeAdapter[Any] = TypeAdapter(Annotated[Frame, Field(discriminator="type")])


def decode(raw: str) -> ClientFrame:
    """Errors: `Refused` with `bad_frame`, `unknown_type` or `invalid`."""
    try:
        return _frame.validate_json(raw)
    except ValidationError as error:
        raise decoding_refusal(error, raw) from None
