"""The request of a case for an API operation: a valid one, changed in the one place that its coverage item names.

The keys of a request:
`method` (upper case), `path` (template), `path_params` (name to value; None stands for the key of an existing thing, which the
environment of the test supplies), `query`, `headers`, `auth` (`valid`, `none` or `invalid`), `content_type`, `body` (JSON; absent
when nothing is sent), `raw_body` (text sent instead), `expected_status` (list of codes, any of which is right), `schemas` (status
code to the JSON schema of its body, as documented).
"""

import json
from collections.abc import Mapping
from typing import Any

from qa_agents.plans.schema import CoverageItem, Requirement
from qa_agents.plans.techniques.json_schema import sample

WHERE, VALUE, STATUS = "where", "value", "status"
"""Keys of an API item's parameters: the place that is changed, its value as JSON, and the statuses that are right."""
ABSENT = "(absent)"
JSON_TYPE = "application/json"


def body_of(operation: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]] | None:
    """Media type and schema of the request body, JSON before others; None when nothing is sent."""
    body = operation.get("requestBody")
    content = body.get("content") if isinstance(body, Mapping) else None
    if not isinstance(content, Mapping) or not content:
        return None
    media = next((name for name in content if "json" in name), next(iter(content)))
    schema = content[media].get("schema") if isinstance(content[media], Mapping) else None
    return str(media), schema if isinstance(schema, Mapping) else {}


def response_schema(operation: Mapping[str, Any], status: str) -> Mapping[str, Any] | None:
    """The documented schema of a response's JSON body."""
    answer = (operation.get("responses") or {}).get(status)
    content = answer.get("content") if isinstance(answer, Mapping) else None
    if not isinstance(content, Mapping):
        return None
    media = next((name for name in content if "json" in name), None)
    schema = content[media].get("schema") if media and isinstance(content[media], Mapping) else None
    return schema if isinstance(schema, Mapping) else None


def needs_credentials(operation: Mapping[str, Any]) -> bool:
    """Whether a caller must be known; an empty alternative among the schemes makes it optional."""
    security = operation.get("security")
    return isinstance(security, list) and bool(security) and all(security)


def parameters_of(operation: Mapping[str, Any], place: str) -> list[Mapping[str, Any]]:
    """The parameters that stand in the path, the query, a header or a cookie."""
    found = operation.get("parameters")
    return (
        [one for one in found if isinstance(one, Mapping) and one.get("in") == place] if isinstance(found, list) else []
    )


def request_for(requirement: Requirement, item: CoverageItem) -> dict[str, Any]:
    """The request that exercises an item of an API operation; {} for a requirement that is none."""
    operation = requirement.data
    if not operation.get("method"):
        return {}
    full = item.rule == "api-valid-full"
    request: dict[str, Any] = {
        "method": str(operation["method"]).upper(),
        "path": str(operation.get("path", "/")),
        "path_params": {str(p["name"]): None for p in parameters_of(operation, "path") if p.get("name")},
        "query": _required(operation, "query", full),
        "headers": {name: str(value) for name, value in _required(operation, "header", full).items()},
        "auth": "valid" if needs_credentials(operation) else "none",
        "expected_status": [int(code) for code in item.parameters.get(STATUS, "").split() if code.isdigit()],
    }
    body = body_of(operation)
    if body is not None:
        request["content_type"] = body[0]
        request["body"] = sample(body[1], full=full)
    _change(request, item)
    codes = [str(code) for code in request["expected_status"]]
    request["schemas"] = {
        code: dict(schema) for code in codes if (schema := response_schema(operation, code)) is not None
    }
    return request


def _required(operation: Mapping[str, Any], place: str, full: bool) -> dict[str, Any]:
    return {
        str(one["name"]): sample(one.get("schema"), str(one["name"]))
        for one in parameters_of(operation, place)
        if one.get("name") and (full or one.get("required")) and str(one["name"]).lower() != "authorization"
    }


def _change(request: dict[str, Any], item: CoverageItem) -> None:
    """Put the item's value where it belongs."""
    where, value = item.parameters.get(WHERE, ""), item.parameters.get(VALUE, "")
    if where == "auth":
        request["auth"] = value
    elif where == "method":
        request["method"] = value
        request.pop("body", None)
    elif where == "content_type":
        request["content_type"] = value
        request["raw_body"] = "sample"
        request.pop("body", None)
    elif where == "raw_body":
        request["raw_body"] = value
        request.pop("body", None)
    elif where.startswith("path "):
        request["path_params"][where[5:]] = json.loads(value)
    elif where.startswith(("query ", "headers ")):
        part, name = where.split(" ", 1)
        if value == ABSENT:
            request[part].pop(name, None)
        else:
            found = json.loads(value)
            request[part][name] = found if part == "query" else str(found)
    elif where.startswith("body "):
        if where == "body /" and value == ABSENT:
            request.pop("body", None)
        else:
            request["body"] = _with(request.get("body"), where[6:].split("/"), value)


def _with(body: Any, path: list[str], value: str) -> Any:
    if not path or path == [""]:
        return json.loads(value)
    result = dict(body) if isinstance(body, dict) else {}
    if len(path) == 1:
        if value == ABSENT:
            result.pop(path[0], None)
        else:
            result[path[0]] = json.loads(value)
        return result
    result[path[0]] = _with(result.get(path[0]), path[1:], value)
    return result
