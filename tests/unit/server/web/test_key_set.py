"""The published keys of a token service: fetched when needed, and never in the way of who needs none."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from server.domain.errors import Unauthenticated
from server.web import auth
from server.web.auth import KeySet
from tests.support.scripted_server import Answer, ScriptedServer


@pytest.fixture
async def service() -> AsyncIterator[ScriptedServer]:
    """Give a token service."""
    async with ScriptedServer() as server:
        yield server


@pytest.fixture
async def keys(service: ScriptedServer) -> AsyncIterator[KeySet]:
    """Give its keys, as we see them."""
    async with httpx2.AsyncClient(trust_env=False, verify=False) as client:
        yield KeySet(f"{service.url}/keys", client)


def published() -> Answer:
    """One key, by the name `known`."""
    public = ec.generate_private_key(ec.SECP256R1()).public_key()
    told: dict[str, Any] = json.loads(jwt.algorithms.ECAlgorithm.to_jwk(public)) | {"kid": "known"}
    return Answer([json.dumps({"keys": [told]}).encode()])


async def test_forged_tokens_keep_nobody_waiting(
    service: ScriptedServer, keys: KeySet, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While an unknown key is asked for, at a service that is silent, the known one answers at once."""
    service.script(published(), Answer(["stall"], status=None))
    known = await keys.key("known")
    monkeypatch.setattr(auth, "_KEYS_RETRY_SECONDS", 0.0)
    monkeypatch.setattr(auth, "_FETCH_SECONDS", 0.5)
    service.asked.clear()
    forged = asyncio.create_task(keys.key("forged"))
    await service.asked.wait()
    assert await keys.key("known") is known
    assert not forged.done()
    with pytest.raises(Unauthenticated):
        await forged
    assert await keys.key("known") is known


@pytest.mark.parametrize("said", [b"[]", b'{"keys": 5}', b'{"keys": [5]}', b"null", b"<html>", b"{}"])
async def test_what_is_no_set_of_keys_is_none(service: ScriptedServer, keys: KeySet, said: bytes) -> None:
    """Whatever the service says instead: the token is not accepted, and it is no bug of ours."""
    service.script(Answer([said]))
    with pytest.raises(Unauthenticated):
        await keys.key("known")
