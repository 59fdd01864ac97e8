"""The ASGI application: routes to handlers, and the documents about them. No middleware: each endpoint is complete."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import msgspec
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from server.web.asyncapi import asyncapi
from server.web.auth import Tokens, bearer
from server.web.chat_socket import ChatSocket
from server.web.event_stream import EventStream
from server.web.openapi import openapi
from server.web.operations import Endpoint, Operation, check_parameters
from server.web.page import Page
from server.web.problems import HttpProblem, response_of
from server.web.readiness import Canary
from server.web.write_limits import WriteLimits

_SOCKET_PATH = "/ws"


@dataclass(frozen=True, slots=True)
class Parts:
    """What the application is made of."""

    operations: list[Operation]
    tokens: Tokens
    limits: WriteLimits
    socket: ChatSocket
    events: EventStream
    canary: Canary
    page: Page
    metrics: CollectorRegistry
    version: str


def application(parts: Parts) -> Starlette:
    """The whole application."""
    listed = parts.operations
    documents = {
        "/openapi.json": openapi(listed, parts.version),
        "/asyncapi.json": asyncapi(parts.version),
    }
    routes: list[Route | Mount] = [
        Route("/v1/conversations/{id}/events", _Methods({"GET": _Listening(parts)})),
        *(_by_method(path, parts) for path in dict.fromkeys(op.path for op in listed)),
        Route("/healthz", _fixed({"status": "alive"})),
        Route("/readyz", partial(_ready, parts.canary)),
        Route("/metrics", partial(_metrics, parts.metrics)),
        *(Route(path, _fixed(document)) for path, document in documents.items()),
        Route("/docs", parts.page.docs),
        Route("/", parts.page.index),
        Mount("/static", parts.page.files),
    ]
    return _Application(
        parts.socket, routes=routes, exception_handlers={404: _missing, 405: _wrong_method, 500: _bug}
    )


class _Application(Starlette):
    """Starlette, but sockets go straight to theirs: six steps less for each, and their frames while it is open."""

    def __init__(self, socket: ChatSocket, **more: Any) -> None:
        super().__init__(**more)
        self._socket = socket

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request or a socket."""
        if scope["type"] == "websocket" and scope["path"] == _SOCKET_PATH:
            await self._socket(scope, receive, send)
        else:
            await super().__call__(scope, receive, send)


class _Methods:
    """One path, an endpoint for each method."""

    def __init__(self, endpoints: Mapping[str, ASGIApp]) -> None:
        self._endpoints = endpoints

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        endpoint = self._endpoints.get(scope["method"])
        if endpoint is None:
            response = _problem(405, "method_not_allowed", f"{scope['method']} is not served here.")
            response.headers["Allow"] = ", ".join(sorted(self._endpoints))
            await response(scope, receive, send)
            return
        await endpoint(scope, receive, send)


class _Listening:
    """The event stream's route."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            user = await self._parts.tokens.check(bearer(scope["headers"]))
            check_parameters(Request(scope), ())
            await self._parts.events.serve(user, scope["path_params"]["id"], scope, receive, send)
        except Exception as error:  # noqa: BLE001 - the boundary of a request: `response_of` knows every error
            await response_of(error)(scope, receive, send)


def _by_method(path: str, parts: Parts) -> Route:
    endpoints = {
        op.method: Endpoint(op, parts.tokens, parts.limits) for op in parts.operations if op.path == path
    }
    return Route(path, _Methods(endpoints))


def _fixed(document: Mapping[str, object]) -> ASGIApp:
    content, headers = msgspec.json.encode(document), {"Cache-Control": "no-cache"}
    response = Response(content, media_type="application/json", headers=headers)
    return _Methods({"GET": response, "HEAD": response})


def _problem(status: int, code: str, detail: str) -> Response:
    return response_of(HttpProblem(status, code, detail))


async def _ready(canary: Canary, request: Request) -> Response:
    wrong = await canary.sing()
    body = {"status": "not ready" if wrong else "ready", "wrong": wrong}
    headers = {"Cache-Control": "no-store"}
    return Response(msgspec.json.encode(body), 503 if wrong else 200, headers, media_type="application/json")


async def _metrics(metrics: CollectorRegistry, request: Request) -> Response:
    return Response(generate_latest(metrics), media_type=CONTENT_TYPE_LATEST)


async def _missing(request: Request, error: Exception) -> Response:
    return _problem(404, "not_found", "There is no such route; /docs lists those that are.")


async def _wrong_method(request: Request, error: Exception) -> Response:
    response = _problem(405, "method_not_allowed", f"{request.method} is not served here.")
    response.headers.update(getattr(error, "headers", None) or {})  # Starlette's `Allow`
    return response


async def _bug(request: Request, error: Exception) -> Response:
    return response_of(error)
