"""Behaviours of an API suite: a request that succeeds and a property that is returned are compared exactly, not by words."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from qa_agents.plans.schema import TestCase
from qa_agents.plans.techniques.json_schema import merged, type_of

_CALL = re.compile(r"\b(?P<method>GET|POST|PUT|PATCH|DELETE) (?P<path>/[^\s?]*)(?:\?(?P<query>\S+))? \((?P<who>\w+)\)")
_SUCCEEDS = "succeeds and returns the documented shape"
_PROPERTY = re.compile(
    r"^(?P<owner>\w+)(?:'s| has| contains) \"(?P<a>\w+)\" property|^\"(?P<b>\w+)\" property|^(?P<c>[a-z]+[A-Z]\w*) is "
)
_TYPES = (("integer", "integer"), ("rray", "array"), ("timestamp", "date-time"))
_OUTERMOST = "response"
_DEPTH = 8


class Property(NamedTuple):
    """One property of an answer: whose, its name, its type, its format."""

    owner: str
    name: str
    type: str
    format: str


def is_of_api(statement: str) -> bool:
    """Whether the statement names a request or a property of an answer."""
    return bool(_CALL.search(statement) or _PROPERTY.match(statement))


def shown_by(statement: str, cases: Sequence[TestCase]) -> bool:
    """Whether some case sends the request and checks that it succeeds with its documented answer, or checks the property.

    A value that an answer must have is shown by no such case.
    """
    succeeding = [case for case in cases if case.request and case.polarity != "negative" and _answers(case)]
    if call := _CALL.search(statement):
        return _SUCCEEDS in statement and any(_sends(case, call) for case in succeeding)
    wanted = _PROPERTY.match(statement)
    if wanted is None:
        return False
    name = wanted["a"] or wanted["b"] or wanted["c"]
    owner = (wanted["owner"] or "").lower()
    kind = next((kind for word, kind in _TYPES if word in statement[wanted.end() - 4 :]), "")
    return any(
        one.name == name and (not owner or owner == one.owner) and (not kind or kind in (one.type, one.format))
        for case in succeeding
        for schema in _answers(case)
        for one in _properties(schema)
    )


def _answers(case: TestCase) -> list[Any]:
    """The documented answers that the case expects; one without a body for an answer that has none."""
    schemas = case.request.get("schemas") or {}
    wanted = [str(code) for code in case.request.get("expected_status", []) if str(code)[:1] == "2"]
    return [schemas.get(code) or {} for code in wanted]


def _sends(case: TestCase, call: re.Match[str]) -> bool:
    request = case.request
    wanted = {part.split("=")[0] for part in (call["query"] or "").split("&") if part}
    return (
        request["method"] == call["method"]
        and _shape(request["path"]) == _shape(call["path"])
        and wanted <= set(request.get("query") or {})
        and (request.get("auth", "none") == "valid") == (call["who"] == "authenticated")
    )


def _shape(path: str) -> list[str]:
    """The path with a sign for each segment that holds a parameter."""
    return ["{}" if "{" in part else part for part in path.strip("/").split("/")]


def _properties(schema: Any, owner: str = _OUTERMOST, depth: int = 0) -> Iterator[Property]:
    if not isinstance(schema, Mapping) or depth > _DEPTH:
        return
    schema = merged(schema)
    for name, part in (schema.get("properties") or {}).items():
        part = merged(part) if isinstance(part, Mapping) else {}
        yield Property(owner, str(name), type_of(part), str(part.get("format", "")))
        yield from _properties(part, str(name).lower().removesuffix("s"), depth + 1)
    yield from _properties(schema.get("items"), owner, depth + 1)
