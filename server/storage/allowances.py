"""The accounts of a quota, changed by the transactions that accept and end replies: there is nothing to be forgotten.

Whoever accepts a reply writes its user's account, and so does whoever ends it: two at once conflict, and MongoDB lets
one go first. What is spent is the sum of what was recorded; an account that does not know its day is summed up anew.
"""

from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from pymongo.asynchronous.client_session import AsyncClientSession

from server.domain.events import Event, ReplyEnded, ReplyInterrupted, ReplyRequested, UsageRecorded
from server.domain.kept_quotas import StoredAccount
from server.domain.quota import Account, Quota, day_begins, day_of, hold, holds
from server.storage.database import Client, reachable
from server.storage.documents import AllowanceDocument, ReplyDocument, UsageDocument

_KNOWN = 100_000
_GOING = {"$in": ["queued", "running"]}


class Allowances:
    """Without a limit nothing is written, and `account` shows what was recorded."""

    def __init__(self, quota: Quota) -> None:
        self.quota = quota
        self._known: set[str] = set()

    async def prepare(self, events: Sequence[Event]) -> None:
        """Before the transaction: whoever is concerned has an account, so that two transactions meet in it."""
        if not self.quota.limits:
            return
        users = {event.user for event in events if isinstance(event, ReplyRequested | UsageRecorded)}
        for user in users - self._known:
            new: dict[str, Any] = {"day": "", "spent": 0, "held": {}, "open": 0, "since": datetime.now(UTC)}
            await AllowanceDocument.collection().update_one({"_id": user}, {"$setOnInsert": new}, upsert=True)
            if len(self._known) >= _KNOWN:
                self._known.clear()
            self._known.add(user)

    async def apply(self, events: Sequence[Event], session: AsyncClientSession) -> None:
        """Within it: release what has ended, account for what was used, hold what is owed. Errors: `QuotaExceeded`."""
        if not self.quota.limits:
            return
        for event in events:
            if isinstance(event, ReplyEnded):
                await self._release(event, session)
            elif isinstance(event, UsageRecorded):
                await self._spend(event, session)
        leaving = [event.reply for event in events if isinstance(event, ReplyInterrupted)]
        for event in events:
            if isinstance(event, ReplyRequested):
                await self._hold(event, leaving, session)

    async def account(self, user: str, now: datetime, session: AsyncClientSession | None = None) -> Account:
        """What a user has today. Errors: `Unavailable`."""
        async with reachable():
            found = await AllowanceDocument.collection().find_one({"_id": user}, session=session)
            held: dict[str, int] = found["held"] if found is not None and self.quota.limits else {}
            today = day_of(now)
            if found is not None and found["day"] == today and self.quota.limits:
                return Account(user, today, found["spent"], held)
            return Account(user, today, await _used(user, now, session), held)

    async def mend(self) -> int:
        """Release what is held for replies that have ended: of a time in which another process had no limits."""
        mended = 0
        if not self.quota.limits:
            return mended
        async with reachable():
            async for row in AllowanceDocument.collection().find({"open": {"$gt": 0}}):
                held = {"_id": {"$in": list(row["held"])}, "status": _GOING}
                going = [one["_id"] async for one in ReplyDocument.collection().find(held, {"_id": 1})]
                for reply in sorted(set(row["held"]) - set(going)):
                    await AllowanceDocument.collection().update_one({"_id": row["_id"]}, _released(reply))
                    mended += 1
        return mended

    async def recount(self) -> None:
        """Let every account be summed up anew when it is next needed. Errors: `Unavailable`."""
        if self.quota.limits:
            async with reachable():
                await AllowanceDocument.collection().update_many({"day": {"$ne": ""}}, {"$set": {"day": ""}})

    async def _hold(self, event: ReplyRequested, leaving: Sequence[str], session: AsyncClientSession) -> None:
        account = await self.account(event.user, event.at, session)
        tokens = holds(event.settings, self.quota)
        after = hold(account, self.quota, event.reply, tokens, event.at, leaving)
        said = {"day": after.day, "spent": after.spent, "held": dict(after.held), "open": len(after.held)}
        await AllowanceDocument.collection().update_one({"_id": event.user}, {"$set": said}, session=session)

    async def _release(self, event: ReplyEnded, session: AsyncClientSession) -> None:
        reply = await ReplyDocument.collection().find_one({"_id": event.reply}, {"user": 1}, session=session)
        if reply is not None:
            change = _released(event.reply)
            await AllowanceDocument.collection().update_one({"_id": reply["user"]}, change, session=session)

    async def _spend(self, event: UsageRecorded, session: AsyncClientSession) -> None:
        same = {"$eq": ["$day", day_of(event.at)]}
        spent = {"$add": ["$spent", event.usage.input + event.usage.output]}
        said = {"spent": {"$cond": [same, spent, 0]}, "day": {"$cond": [same, "$day", ""]}}
        await AllowanceDocument.collection().update_one(
            {"_id": event.user}, [{"$set": said}], session=session
        )


async def stored_accounts(client: Client) -> AsyncIterator[StoredAccount]:
    """Every account, and what it follows from, each as it was at one moment. Errors: `Unavailable`."""
    async with reachable():
        users = [row["_id"] async for row in AllowanceDocument.collection().find({}, {"_id": 1})]
        for user in users:
            async with client.start_session(snapshot=True) as session:
                row = await AllowanceDocument.collection().find_one({"_id": user}, session=session)
                assert row is not None, "accounts are for ever"
                account = Account(user, row["day"], row["spent"], row["held"])
                wanted = {"$or": [{"_id": {"$in": list(account.held)}}, {"user": user, "status": _GOING}]}
                replies = ReplyDocument.collection().find(wanted, session=session)
                found = {reply["_id"]: reply async for reply in replies}
                moment = datetime.fromisoformat(f"{account.day or '1970-01-01'}T00:00:00+00:00")
                used = await _used(user, moment, session)
            owed = {name for name, one in found.items() if one["status"] in _GOING["$in"]}
            since = {name for name in owed if found[name]["created_at"] > row["since"]}
            yield StoredAccount(account, frozenset(since), {name: name not in owed for name in found}, used)


def _released(reply: str) -> list[dict[str, Any]]:
    """Once or twice, it is the same."""
    left = {"$size": {"$objectToArray": "$held"}}
    return [{"$unset": f"held.{reply}"}, {"$set": {"open": left}}]


async def _used(user: str, moment: datetime, session: AsyncClientSession | None) -> int:
    """What was recorded on a day."""
    begins = day_begins(moment)
    within = {"user": user, "at": {"$gte": begins, "$lt": begins + timedelta(days=1)}}
    tokens = {"$sum": {"$add": ["$input", "$output"]}}
    stages: list[dict[str, Any]] = [{"$match": within}, {"$group": {"_id": None, "tokens": tokens}}]
    cursor = await UsageDocument.collection().aggregate(stages, session=session)
    return next((int(row["tokens"]) for row in await cursor.to_list()), 0)
