"""The official OpenAPI document of Meilisearch, and a check of requests and answers against it."""

import re
from functools import cache
from importlib.resources import files
from typing import Any

import yaml
from jsonschema import Draft202012Validator

_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")
# Where the document is not what the server takes: fields that it calls required have
# defaults, those of a search stand in it as they are called inside, and patterns are a list and no object.
_DEFAULTS: dict[str, dict[str, Any]] = {
    "SearchQuery": {
        "offset": 0,
        "limit": 20,
        "retrieve_vectors": False,
        "crop_length": 10,
        "show_matches_position": False,
        "show_ranking_score": False,
        "show_ranking_score_details": False,
        "highlight_pre_tag": "<em>",
        "highlight_post_tag": "</em>",
        "crop_marker": "…",
        "matching_strategy": "last",
    },
    "BrowseQuery": {"retrieveVectors": False},
    "CreateApiKey": {"uid": "00000000-0000-4000-8000-000000000000"},
}


@cache
def document() -> dict[str, Any]:
    """As the wheel `meilisearch-rest-cli` brings it."""
    return yaml.load((files("meilisearch_rest_cli") / "spec.yaml").read_text(), yaml.CSafeLoader)


@cache
def _validator(reference: str) -> Draft202012Validator:
    return Draft202012Validator({"$ref": reference, "components": document()["components"]})


def _as_documented(name: str, value: Any) -> Any:
    if name == "SearchQuery":
        value = {_CAMEL.sub("_", field).lower(): one for field, one in value.items()}
    if name == "Settings_Unchecked" and value.get("localizedAttributes"):
        rules = value["localizedAttributes"]
        rules = [one | {"attributePatterns": {"patterns": one["attributePatterns"]}} for one in rules]
        value = value | {"localizedAttributes": rules}
    return _DEFAULTS.get(name, {}) | value if name in _DEFAULTS else value


def _check(schema: dict[str, Any], value: Any) -> list[str]:
    if schema.get("type") == "array" and "$ref" in schema["items"]:
        return [fault for one in value for fault in _check(schema["items"], one)]
    if "$ref" not in schema:
        found = Draft202012Validator(schema).iter_errors(value)
    else:
        found = _validator(schema["$ref"]).iter_errors(
            _as_documented(schema["$ref"].rpartition("/")[2], value)
        )
    return [f"{error.json_path}: {error.message}" for error in found]


def faults(method: str, path: str, asked: Any, status: int, answered: Any) -> list[str]:
    """What does not stand in the document: the operation, the body that was sent, the body that came back."""
    operation = document()["paths"].get(path, {}).get(method.lower())
    if operation is None:
        return [f"{method} {path} is no operation"]
    found: list[str] = []
    wanted = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")
    if wanted:
        found += [f"{method} {path} sent {fault}" for fault in _check(wanted, asked)]
    # The real server answers tasks with 202, and keys with 200 and 201; the document has another of these for some.
    answers = operation["responses"]
    others = ["200", "201", "202", "204"] if status < 300 else ["401"]
    answer = next(answers[one] for one in (str(status), *others) if one in answers)
    if "content" not in answer:
        return found
    schema = answer["content"]["application/json"]["schema"]
    return found + [f"{method} {path} answered {fault}" for fault in _check(schema, answered)]
