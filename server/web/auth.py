"""Who is it? Signed tokens (JWT, RFC 7519): ours by a shared secret, or a token service's by its published keys."""

import asyncio
import time
from dataclasses import dataclass
from math import inf
from typing import Any

import httpx2
import jwt
import structlog

from server.domain.errors import Unauthenticated
from server.domain.ids import new_id

_log = structlog.get_logger(__name__)

_OURS = "HS256"
_THEIRS = ["RS256", "RS384", "RS512", "ES256", "ES384", "EdDSA", "PS256"]
_LIFETIME_SECONDS = 90 * 24 * 3600
LONGEST_ID = 128
"""Characters of a user's id."""
_LEEWAY_SECONDS = 30
_KEYS_FRESH_SECONDS = 600.0
_KEYS_RETRY_SECONDS = 10.0
_FETCH_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class User:
    """Who speaks."""

    id: str
    name: str
    until: float = inf
    """How long that is known, by the clock on the wall."""


class Tokens:
    """Issues and checks our own tokens; `keys` checks those of a token service beside them.

    `audience` and `issuer`: what its tokens must say in `aud` and `iss`, as a service may sign for others as well.
    """

    def __init__(
        self,
        secret: str,
        keys: "KeySet | None" = None,
        audience: str | None = None,
        issuer: str | None = None,
    ) -> None:
        self._secret = secret
        self._keys = keys
        self._audience = audience
        self._issuer = issuer

    def issue(self, user: User) -> str:
        """A token for 90 days."""
        now = int(time.time())
        claims = {"sub": user.id, "name": user.name, "iat": now, "exp": now + _LIFETIME_SECONDS}
        return jwt.encode(claims, self._secret, algorithm=_OURS)

    async def check(self, token: str | None) -> User:
        """Whose token it is. Errors: `Unauthenticated`, with a reason that helps and tells nothing."""
        if not token:
            raise Unauthenticated("unauthenticated", "A token is needed.")
        try:
            header = jwt.get_unverified_header(token)
            algorithm = header.get("alg")
            if algorithm == _OURS:
                claims = self._decode(token, self._secret, [_OURS])
            elif algorithm in _THEIRS and self._keys is not None:
                key = await self._keys.key(header.get("kid"))
                claims = self._decode(token, key, _THEIRS, self._audience, self._issuer)
            else:
                raise Unauthenticated(
                    "unauthenticated", "The token is signed in a way that is not accepted here."
                )
        except jwt.ExpiredSignatureError:
            raise Unauthenticated("unauthenticated", "The token is out of date.") from None
        except (jwt.PyJWTError, TypeError):  # the latter for a key of another kind than the token says
            raise Unauthenticated("unauthenticated", "The token is not valid.") from None
        user = str(claims["sub"])
        if not 1 <= len(user) <= LONGEST_ID:
            raise Unauthenticated("unauthenticated", f"The token's sub has 1 to {LONGEST_ID} characters.")
        return User(user, str(claims.get("name") or user)[:100], int(claims["exp"]) + _LEEWAY_SECONDS)

    @staticmethod
    def _decode(
        token: str, key: Any, algorithms: list[str], audience: str | None = None, issuer: str | None = None
    ) -> dict[str, Any]:
        options: Any = {"require": ["sub", "exp"], "verify_aud": audience is not None}
        said: dict[str, Any] = {"audience": audience, "issuer": issuer, "options": options}
        return jwt.decode(token, key, algorithms=algorithms, leeway=_LEEWAY_SECONDS, **said)


class KeySet:
    """The keys that a token service publishes (JWKS, RFC 7517), fetched when needed and kept for ten minutes."""

    def __init__(self, url: str, client: httpx2.AsyncClient) -> None:
        self._url = url
        self._client = client
        self._keys: dict[str | None, Any] = {}
        self._fetched = float("-inf")
        self._lock = asyncio.Lock()

    async def key(self, kid: str | None) -> Any:
        """A key by its id. Errors: `Unauthenticated` when there is none, or the service cannot be reached."""
        if self._is_due(kid):
            # Only who needs the answer waits for it: forged tokens must keep nobody waiting whose key is known.
            async with self._lock:
                if self._is_due(kid):
                    await self._fetch()
        if kid not in self._keys:
            raise Unauthenticated("unauthenticated", "The token is signed with a key that is not known here.")
        return self._keys[kid]

    def _is_due(self, kid: str | None) -> bool:
        """A key that we do not know may be new: then we ask again, but not for every forged token."""
        age = time.monotonic() - self._fetched
        return age > (_KEYS_FRESH_SECONDS if kid in self._keys else _KEYS_RETRY_SECONDS)

    async def _fetch(self) -> None:
        try:
            async with asyncio.timeout(_FETCH_SECONDS):
                response = await self._client.get(self._url)
            response.raise_for_status()
            keys = jwt.PyJWKSet.from_dict(response.json()).keys
        # The last two where what comes is JSON, and no set of keys.
        except (
            httpx2.HTTPError,
            TimeoutError,
            ValueError,
            jwt.PyJWTError,
            AttributeError,
            TypeError,
        ) as error:
            _log.warning("cannot fetch the token service's keys", error=type(error).__name__)
            return
        finally:
            self._fetched = time.monotonic()
        self._keys = {key.key_id: key.key for key in keys}


def bearer(headers: list[tuple[bytes, bytes]]) -> str | None:
    """The token of an Authorization header."""
    for name, value in headers:
        if name == b"authorization" and value[:7].lower() == b"bearer ":
            return value[7:].decode("latin-1").strip()
    return None


def guest(name: str | None) -> User:
    """Somebody new."""
    return User(new_id("usr"), (name or "").strip() or "Guest")
