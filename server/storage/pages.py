"""Pages of a list by keyset: stable while things are added, and as fast on the last page as on the first."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ConfigDict

from server.domain.errors import Invalid
from server.storage.documents import StoredDocument

T = TypeVar("T")
D = TypeVar("D", bound=StoredDocument)

MAX_LIMIT = 200

_EPOCH = datetime.fromtimestamp(0, tz=UTC)
_DIGITS = 14
"""Enough for the milliseconds of 3,000 years, which a `datetime` can hold."""


class Page(BaseModel, Generic[T]):
    """A part of a list. To read on, give `next` as `after`, or `previous` as `before`; null means the end."""

    model_config = ConfigDict(frozen=True)

    items: list[T]
    next: str | None
    previous: str | None


def is_number(text: str) -> bool:
    """Whether a client wrote a number, in our digits and of a sane length: `str.isdigit` also takes `²`."""
    return text.isascii() and text.isdigit() and len(text) <= _DIGITS


@dataclass(frozen=True, slots=True)
class Cut:
    """Which part of a list is wanted."""

    before: str | None = None
    after: str | None = None
    limit: int = 50

    def __post_init__(self) -> None:
        if not 1 <= self.limit <= MAX_LIMIT:
            raise Invalid("invalid", f"limit is 1 to {MAX_LIMIT}.", field="limit")
        if self.before is not None and self.after is not None:
            raise Invalid("invalid", "Give before or after, not both.", field="before")


@dataclass(frozen=True, slots=True)
class Order:
    """A total order: by `field`, then by id; `descending` means the greatest first."""

    field: str
    descending: bool = False
    from_the_end: bool = False
    """Without a cursor, the last page and not the first."""

    def cursor(self, document: StoredDocument) -> str:
        """A place in the list."""
        return self.place(getattr(document, self.field), document.id)

    def place(self, value: object, identity: str) -> str:
        """The cursor of what has this value and this id."""
        if isinstance(value, datetime):
            return f"{round(value.timestamp() * 1000)}.{identity}"
        return f"{value}.{identity}"

    def beyond(self, cursor: str, *, greater: bool, name: str) -> dict[str, Any]:
        """What lies on one side of a cursor. Errors: `Invalid`, which names the parameter."""
        number, _, identity = cursor.partition(".")
        if not is_number(number):
            raise Invalid("invalid", "This is no cursor of this list.", field=name)
        value: Any = int(number)
        if self.field.endswith("_at"):
            value = _EPOCH + timedelta(milliseconds=value)
        side = "$gt" if greater else "$lt"
        return {"$or": [{self.field: {side: value}}, {self.field: value, "_id": {side: identity}}]}


async def page(
    kind: type[D], wanted: dict[str, Any], order: Order, cut: Cut
) -> tuple[list[D], str | None, str | None]:
    """One page of documents, the cursor of the next and of the previous page."""
    backwards = cut.before is not None or (cut.after is None and order.from_the_end)
    query = dict(wanted)
    if cut.after is not None:
        query |= order.beyond(cut.after, greater=not order.descending, name="after")
    if cut.before is not None:
        query |= order.beyond(cut.before, greater=order.descending, name="before")
    direction = -1 if order.descending != backwards else 1
    sort: Any = [(order.field, direction), ("_id", direction)]
    found: Sequence[D] = await kind.find(query).sort(sort).limit(cut.limit + 1).to_list()
    more = len(found) > cut.limit
    documents = list(found[: cut.limit])
    if backwards:
        documents.reverse()
    first = order.cursor(documents[0]) if documents else None
    last = order.cursor(documents[-1]) if documents else None
    if backwards:
        return documents, (last if cut.before is not None else None), (first if more else None)
    return documents, (last if more else None), (first if cut.after is not None else None)
