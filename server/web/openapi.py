"""The OpenAPI 3.1 document of the HTTP routes, made from the operations and the models that they declare."""

import re
from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode, models_json_schema

from server.web.operations import Operation
from server.web.problems import Problem

_PROBLEM = "#/components/schemas/Problem"
_QUERY = {
    "before": {"type": "string", "description": "A cursor: what comes before it."},
    "after": {"type": "string", "description": "A cursor: what comes after it."},
    "around": {
        "type": "string",
        "description": "A message: a page with it in the middle, instead of a cursor.",
    },
    "limit": {"type": "integer", "minimum": 1, "maximum": 200, "default": 50},
    "format": {"type": "string", "enum": ["json", "markdown"], "default": "json"},
    "archived": {"type": "boolean", "default": False, "description": "Those put away, or the others."},
    "pinned": {
        "type": "boolean",
        "description": "Those you keep at the top, or the others; both without it.",
    },
}


def openapi(operations: Sequence[Operation], version: str) -> dict[str, Any]:
    """The document."""
    models: list[tuple[type[BaseModel], JsonSchemaMode]] = [(Problem, "serialization")]
    for operation in operations:
        if operation.body is not None:
            models.append((operation.body, "validation"))
        if operation.answer is not None:
            models.append((operation.answer, "serialization"))
    references, definitions = models_json_schema(models, ref_template="#/components/schemas/{model}")
    paths: dict[str, dict[str, Any]] = {}
    for operation in operations:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _described(operation, references)
    paths["/v1/conversations/{id}/events"] = {"get": _event_stream()}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Tertulia",
            "version": version,
            "description": "Conversations with language models. Live events come over the socket (`/asyncapi.json`) "
            "or as server-sent events.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "security": [{"token": []}],
        "paths": paths,
        "components": {
            "schemas": definitions["$defs"],
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}},
        },
    }


def _described(operation: Operation, references: dict[Any, Any]) -> dict[str, Any]:
    said: dict[str, Any] = {
        "summary": operation.summary,
        "operationId": operation.handle.__name__,  # pyright: ignore[reportFunctionMemberAccess]: a bound method
        "tags": [operation.tag],
        "responses": {"default": _problem("A problem: `code` says which.")},
    }
    parameters = [_path_parameter(name) for name in re.findall(r"{(\w+)}", operation.path)]
    parameters += _query(operation)
    if parameters:
        said["parameters"] = parameters
    if operation.public:
        said["security"] = []
    if operation.body is not None:
        said["requestBody"] = {"content": _json(references[operation.body, "validation"])}
    answer: dict[str, Any] = {"description": "Done."}
    if operation.answer is not None:
        answer["content"] = _json(references[operation.answer, "serialization"])
    said["responses"][str(operation.status)] = answer
    return said


def _query(operation: Operation) -> list[dict[str, Any]]:
    if operation.asks is None:
        return [{"name": name, "in": "query", "schema": _QUERY[name]} for name in operation.parameters]
    asked = operation.asks.model_json_schema()
    needed: list[str] = asked.get("required", [])
    return [
        {"name": name, "in": "query", "required": name in needed, "schema": schema}
        for name, schema in asked["properties"].items()
    ]


def _event_stream() -> dict[str, Any]:
    resume = {
        "name": "Last-Event-ID",
        "in": "header",
        "schema": {"type": "string"},
        "description": "`epoch:offset`",
    }
    stream = {"text/event-stream": {"schema": {"type": "string"}}}
    return {
        "summary": "The socket's events as server-sent events",
        "operationId": "events",
        "tags": ["Conversations"],
        "parameters": [_path_parameter("id"), resume],
        "responses": {
            "200": {"description": "Events, each with `id: epoch:offset`.", "content": stream},
            "default": _problem("A problem, before the stream begins."),
        },
    }


def _path_parameter(name: str) -> dict[str, Any]:
    return {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}


def _problem(description: str) -> dict[str, Any]:
    return {
        "description": description,
        "content": {"application/problem+json": {"schema": {"$ref": _PROBLEM}}},
    }


def _json(schema: Any) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}
