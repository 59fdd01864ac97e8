"""Tokens of a token service: checked by the keys that it publishes, and nothing else is taken for one."""

import json
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from websockets.exceptions import ConnectionClosed

from realtime.session import CloseCode
from server.web.auth import Tokens, User
from tests.support.client import chat, http
from tests.support.house import SECRET, House
from tests.support.in_process import serving, settings_of
from tests.support.listener import listening
from tests.support.scripted_server import Answer, ScriptedServer


@dataclass
class Service:
    """A token service with two keys, and a server that trusts it."""

    url: str
    keys: dict[str, Any]

    def token(self, kid: str = "rsa", algorithm: str = "RS256", key: Any = None, **claims: Any) -> str:
        """Sign a token."""
        said = {"sub": "grace@example.org", "name": "Grace", "exp": int(time.time()) + 60} | claims
        headers = {"kid": kid}
        return jwt.encode(said, key or self.keys[kid], algorithm=algorithm, headers=headers)

    async def me(self, token: str) -> httpx2.Response:
        """Ask whose token it is."""
        async with httpx2.AsyncClient(base_url=self.url, trust_env=False, verify=False) as client:
            return await client.get("/v1/me", headers={"Authorization": f"Bearer {token}"})


@pytest.fixture(scope="session")
def keys() -> dict[str, Any]:
    """Give the service's private keys."""
    return {
        "rsa": rsa.generate_private_key(public_exponent=65537, key_size=2048),
        "ec": ec.generate_private_key(ec.SECP256R1()),
    }


@asynccontextmanager
async def trusting(
    house: House, folder: Path, keys: dict[str, Any], **more: Any
) -> AsyncGenerator[tuple[Service, ScriptedServer]]:
    """A token service, and a server that trusts it."""
    algorithms = {"rsa": jwt.algorithms.RSAAlgorithm, "ec": jwt.algorithms.ECAlgorithm}
    published = [
        {**json.loads(algorithms[kid].to_jwk(key.public_key())), "kid": kid} for kid, key in keys.items()
    ]
    async with ScriptedServer() as server:
        body = json.dumps({"keys": published}).encode()
        server.script(Answer([body], headers={"content-type": "application/json"}))
        said = {"auth": "token", "auth_secret": SECRET, "auth_jwks_url": f"{server.url}/keys"} | more
        async with serving(settings_of(house, folder, **said)) as url:
            yield Service(url, keys), server


@pytest.fixture
async def service(house: House, tmp_path: Path, keys: dict[str, Any]) -> AsyncIterator[Service]:
    """Give a service whose tokens are needed here."""
    async with trusting(house, tmp_path, keys) as (service, server):
        yield service
        # However many tokens came, the keys were fetched once, or twice for a key that was not known.
        assert len(server.requests) <= 2


async def test_a_token_of_the_service(service: Service) -> None:
    """Its user is ours, over HTTP and on the socket, by either kind of key."""
    answer = await service.me(service.token())
    assert answer.json() == {"id": "grace@example.org", "name": "Grace", "quota": None}
    assert (await service.me(service.token("ec", "ES256"))).status_code == 200
    async with chat(service.url, service.token()) as device:
        assert device.heard[0]["user"] == "grace@example.org"


async def test_what_is_no_token(service: Service) -> None:
    """Wrong or unknown key or secret, no signature, no user, out of date."""
    stranger = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    bad = {
        "another's key": service.token(key=stranger),
        "the other kind of key": service.token("ec", key=stranger),
        "an unknown key": service.token("new", key=stranger),
        "no signature": jwt.encode({"sub": "x", "exp": int(time.time()) + 60}, None, algorithm="none"),
        "another's secret": service.token(algorithm="HS256", key="of another house, and long enough for it"),
        "out of date": service.token(exp=int(time.time()) - 120),
        "no end": jwt.encode({"sub": "x"}, service.keys["rsa"], algorithm="RS256", headers={"kid": "rsa"}),
        "nobody": service.token(sub=""),
        "a user that is too long": service.token(sub="x" * 129),
        "a user that is a number": service.token(sub=7),
        "half of one": service.token()[:-40],
    }
    answers = {kind: await service.me(token) for kind, token in bad.items()}
    told = {kind: (answer.status_code, answer.json()["code"]) for kind, answer in answers.items()}
    assert told == dict.fromkeys(bad, (401, "unauthenticated"))


async def test_a_socket_and_a_stream_end_with_their_token(service: Service) -> None:
    """Both are told why, when a request would be refused and not before; who has a good token notices nothing."""
    ends = int(time.time()) - 26  # half a minute is given, for clocks that differ
    token = service.token(exp=ends)
    async with (
        http(service.url, token) as ada,
        chat(service.url, token) as device,
        chat(service.url, service.token()) as other,
    ):
        conversation = await ada.conversation()
        async with listening(ada, conversation) as listener:
            for read in (device.read, listener.read):
                while (told := await read())["type"] != "error":
                    pass
                assert told | {"detail": ""} == {"type": "error", "code": "unauthenticated", "detail": ""}
            assert ends + 30 <= time.time() < ends + 36
            with pytest.raises(StopAsyncIteration):
                await listener.read()
        with pytest.raises(ConnectionClosed):
            await device.read()
        assert device.socket.close_code == CloseCode.UNAUTHENTICATED
        assert (await service.me(token)).status_code == 401
        assert (await other.ask("ping"))["type"] == "pong"


async def test_no_guests_where_tokens_are_needed(service: Service) -> None:
    """`POST /v1/session` says so."""
    async with httpx2.AsyncClient(base_url=service.url, trust_env=False, verify=False) as client:
        answer = await client.post("/v1/session")
    assert (answer.status_code, answer.json()["code"]) == (403, "guests_not_allowed")


async def test_tokens_that_are_meant_for_others(house: House, tmp_path: Path, keys: dict[str, Any]) -> None:
    """Where an audience and an issuer are set, a token of the same service for another program opens nothing."""
    wanted = {"aud": "tertulia", "iss": "https://tokens.example.org"}
    more = {"auth_audience": wanted["aud"], "auth_issuer": wanted["iss"]}
    async with trusting(house, tmp_path, keys, **more) as (service, _):
        assert (await service.me(service.token(**wanted))).status_code == 200
        assert (await service.me(service.token(**wanted | {"aud": ["other", "tertulia"]}))).status_code == 200
        others = (
            wanted | {"aud": "other"},
            wanted | {"iss": "https://x.example.org"},
            {"aud": "tertulia"},
            {},
        )
        for claims in others:
            assert (await service.me(service.token(**claims))).status_code == 401
        # Our own, for scripts, are meant for this house alone.
        assert (await service.me(Tokens(SECRET).issue(User("ada", "Ada")))).status_code == 200
