"""Identifiers: a prefix that says what it names, and a UUIDv7 (RFC 9562), so that they sort by time of birth."""

from typing import Annotated

from pydantic import StringConstraints
from uuid_utils import uuid7


def _constraint(prefix: str) -> StringConstraints:
    return StringConstraints(pattern=rf"^{prefix}_[0-9a-f]{{32}}$")


CharacterId = Annotated[str, _constraint("chr")]
ConversationId = Annotated[str, _constraint("cnv")]
MessageId = Annotated[str, _constraint("msg")]
UserId = Annotated[str, StringConstraints(min_length=1, max_length=128)]
"""Ours begin with `usr_`; those of a foreign token service are its own."""


def new_id(prefix: str) -> str:
    """A new identifier such as `msg_0199…`."""
    return f"{prefix}_{uuid7().hex}"
