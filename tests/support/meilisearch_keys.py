"""Who may do what at the stand-in for Meilisearch: its master key, keys that it made, and tokens signed with those."""

import hashlib
import hmac
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import jwt

KEY = "a-key-for-tests"
"""The master's: it may do everything, and signs nothing."""
_ALGORITHMS = ["HS256", "HS384", "HS512"]
_SEARCH = "search"


class NotAdmitted(Exception):
    """The real server says no more than that the key is invalid."""


@dataclass
class Keys:
    """Those that were made, by their uid."""

    made: dict[str, dict[str, Any]] = field(default_factory=dict)

    def make(self, asked: dict[str, Any]) -> dict[str, Any]:
        """As `POST /keys` answers."""
        uid, now = str(uuid.uuid4()), datetime.now(UTC).isoformat()
        secret = hmac.new(KEY.encode(), uid.encode(), hashlib.sha256).hexdigest()
        told = {name: asked.get(name) for name in ("name", "description", "actions", "indexes", "expiresAt")}
        self.made[uid] = told | {"uid": uid, "key": secret, "createdAt": now, "updatedAt": now}
        return self.made[uid]

    def admit(self, said: str | None, index: str | None, *, searching: bool) -> str | None:
        """The filter that a search is under, if it is. Errors: `NotAdmitted`."""
        scheme, _, token = (said or "").partition(" ")
        if scheme != "Bearer":
            raise NotAdmitted
        if token == KEY:
            return None
        if not searching or index is None:
            raise NotAdmitted  # no key of ours may do more than search
        for key in self.made.values():
            if key["key"] == token and self._may_search(key, index):
                return None
        return self._under(token, index)

    def _under(self, token: str, index: str) -> str | None:
        try:
            named = jwt.decode(token, options={"verify_signature": False}).get("apiKeyUid", "")
            key = self.made.get(named)
            if key is None or not self._may_search(key, index):
                raise NotAdmitted
            claims = jwt.decode(token, key["key"], algorithms=_ALGORITHMS)
        except jwt.PyJWTError as error:
            raise NotAdmitted from error
        rules: dict[str, Any] = claims.get("searchRules", {})
        name = next((one for one in (index, "*") if one in rules), None)
        if name is None:
            raise NotAdmitted
        return (rules[name] or {}).get("filter")

    @staticmethod
    def _may_search(key: dict[str, Any], index: str) -> bool:
        def among(names: Sequence[str], name: str) -> bool:
            return name in names or "*" in names

        return among(key["actions"], _SEARCH) and among(key["indexes"], index)
