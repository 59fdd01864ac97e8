"""What must hold of the accounts of a quota: held is what is in flight, spent is what was used. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from server.domain.quota import Account
from server.domain.stored_story import Finding


@dataclass(frozen=True, slots=True)
class StoredAccount:
    """An account, and what it follows from, read at one moment."""

    account: Account
    owed: frozenset[str]
    """The user's replies that have not ended, and were asked for since there is an account."""
    known: Mapping[str, bool]
    """Whether each reply that is held has ended; one that does not exist is not here."""
    used: int
    """Tokens that were recorded on the account's day."""


def accounting(stored: StoredAccount) -> Iterator[Finding]:
    """What is wrong."""
    account = stored.account
    for reply in sorted(account.held):
        if stored.known.get(reply, True):
            yield Finding(
                "the quota is exact", reply, f"{account.user} holds tokens for it, and it has ended"
            )
    for reply in sorted(stored.owed - set(account.held)):
        yield Finding(
            "the quota is exact", reply, f"it is in flight, and {account.user} holds nothing for it"
        )
    if account.day and account.spent != stored.used:
        detail = f"{account.spent} tokens spent on {account.day}, and {stored.used} recorded"
        yield Finding("the quota is exact", account.user, detail)
