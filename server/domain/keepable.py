"""Which values of clients can be kept: the store has bounds that JSON and Python do not have."""

from datetime import UTC, datetime
from math import isfinite
from typing import Annotated, Any, cast

from pydantic import AfterValidator

_DEEPEST = 50
_LARGEST = 2**63 - 1


def _in_utc(moment: datetime) -> datetime:
    try:
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except OverflowError:
        raise ValueError("this time lies before the year 1, or after the year 9999") from None


Moment = Annotated[datetime, AfterValidator(_in_utc)]
"""A time, in UTC; one without a zone is taken for UTC."""


def _checked(value: dict[str, Any]) -> dict[str, Any]:
    _check(value, _DEEPEST)
    return value


KeepableObject = Annotated[dict[str, Any], AfterValidator(_checked)]
"""A JSON object of any form: its numbers are finite and have 64 bits, its names no NUL, and it is nested 50 deep."""


def _check(value: Any, deeper: int) -> None:
    if deeper == 0:
        raise ValueError(f"this is nested more than {_DEEPEST} deep")
    match value:
        case dict():
            for name, inner in cast("dict[str, Any]", value).items():
                if "\0" in name:
                    raise ValueError("a name has a NUL in it")
                _check(inner, deeper - 1)
        case list():
            for inner in cast("list[Any]", value):
                _check(inner, deeper - 1)
        case bool():
            pass
        case int() if not -_LARGEST - 1 <= value <= _LARGEST:
            raise ValueError("a whole number has more than 64 bits")
        case float() if not isfinite(value):
            raise ValueError("a number is not finite")
        case _:
            pass
