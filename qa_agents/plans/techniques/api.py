"""Coverage items of an API operation: valid, boundary and negative requests, credentials, content type, keys, methods.

Where the description documents the status that fits, that one is expected; where it does not, the status follows from HTTP
Semantics, RFC 9110 (401 and 15.5.2, 404 and 15.5.5, 405 and 15.5.6, 415 and 15.5.16).
"""

import json
from collections.abc import Iterator, Sequence
from typing import Any

from qa_agents.plans.read.parsed import plain
from qa_agents.plans.schema import CoverageItem, Requirement
from qa_agents.plans.techniques.api_items import api_item, client_error, statuses_of, succeeds, success_of, unchanged
from qa_agents.plans.techniques.api_request import (
    JSON_TYPE,
    STATUS,
    VALUE,
    WHERE,
    body_of,
    needs_credentials,
    parameters_of,
)
from qa_agents.plans.techniques.api_values import around
from qa_agents.plans.techniques.items import make_item
from qa_agents.plans.techniques.json_schema import (
    Place,
    merged,
    places,
    sample,
    text_of_length,
    type_of,
)
from qa_agents.plans.wording import cut

_METHODS = ("PATCH", "DELETE", "PUT", "POST")


def operations(requirements: Sequence[Requirement]) -> Iterator[CoverageItem]:
    """The items of every requirement that is an API operation."""
    found = [one for one in requirements if one.data.get("method")]
    methods: dict[str, set[str]] = {}
    for requirement in found:
        methods.setdefault(str(requirement.data.get("path")), set()).add(str(requirement.data["method"]).upper())
    asked: set[str] = set()
    for requirement in found:
        yield from _valid(requirement)
        yield from _parameters(requirement)
        yield from _body(requirement)
        yield from _credentials(requirement)
        path = str(requirement.data.get("path"))
        if path not in asked:
            asked.add(path)
            yield from _other_method(requirement, methods[path])


def _valid(requirement: Requirement) -> Iterator[CoverageItem]:
    statuses, expected = succeeds(requirement)
    caller = "authenticated" if needs_credentials(requirement.data) else "anonymous"
    body = body_of(requirement.data)
    optional = bool(body and [place for place in places(body[1]) if not place.required])
    least = "with required values only" if optional else "valid request"
    yield api_item(
        requirement,
        "equivalence",
        f"{least} ({caller})",
        "api-valid-minimal",
        "positive",
        statuses=statuses,
        expected=expected,
    )
    if optional:
        yield api_item(
            requirement,
            "equivalence",
            f"with all optional values too ({caller})",
            "api-valid-full",
            "positive",
            statuses=statuses,
            expected=expected,
        )
    if _may_be_known(requirement):
        yield api_item(
            requirement,
            "equivalence",
            "valid request with credentials, which it does not ask for (authenticated)",
            "api-known-caller",
            "positive",
            statuses=statuses,
            where="auth",
            value="valid",
            expected=expected,
        )


def _may_be_known(requirement: Requirement) -> bool:
    """Whether anybody may read this, in an API that knows callers: an answer often differs for one who is known."""
    operation = requirement.data
    return (
        str(operation["method"]).upper() == "GET"
        and not needs_credentials(operation)
        and bool(operation.get("securitySchemes"))
    )


def _parameters(requirement: Requirement) -> Iterator[CoverageItem]:
    statuses, expected = succeeds(requirement)
    for parameter in parameters_of(requirement.data, "query") + parameters_of(requirement.data, "header"):
        name, schema = str(parameter.get("name", "")), merged(parameter.get("schema"))
        if not name or name.lower() in ("authorization", "content-type", "accept"):
            continue
        part = "query" if parameter.get("in") == "query" else "headers"
        place = Place((name,), schema, bool(parameter.get("required")))
        words = cut(plain(str(parameter.get("description") or "")), 100)
        if not place.required:
            value = json.dumps(
                text_of_length(schema, name, None)
                if type_of(schema) == "string" and not schema.get("enum")
                else sample(schema)
            )
            yield api_item(
                requirement,
                "equivalence",
                f"{part} parameter {name} given{f' ({words})' if words else ''}",
                "api-optional-parameter",
                "positive",
                statuses=statuses,
                where=f"{part} {name}",
                value=value,
                expected=f"{expected}; {name} has its documented effect{f': {words}' if words else ''}",
            )
        yield from around(requirement, place, f"{part} {name}")
    for parameter in parameters_of(requirement.data, "path"):
        name, schema = str(parameter.get("name", "")), merged(parameter.get("schema"))
        unknown, words_404 = client_error(requirement, "404")
        if "404" not in statuses_of(requirement):
            unknown = list(
                dict.fromkeys(["404", *(code for code in statuses_of(requirement) if code in ("400", "410", "422"))])
            )
            words_404 = f"A client error status: {', '.join(unknown)}"
        if (
            success_of(requirement) not in statuses_of(requirement)
            or str(requirement.data["method"]).lower() != "put"
            or name
        ):
            nothing: Any = 999_999_999 if type_of(schema) in ("integer", "number") else f"no-such-{name}"
            yield api_item(
                requirement,
                "error_guessing",
                f"{name} of something that does not exist",
                "api-unknown-key",
                "negative",
                statuses=unknown,
                where=f"path {name}",
                value=json.dumps(nothing),
                expected=f"{words_404}{unchanged(requirement)}",
            )
        if type_of(schema) in ("integer", "number"):
            bad, words = client_error(requirement, "422", "400", "404")
            yield api_item(
                requirement,
                "equivalence",
                f"{name} = abc where a number is asked for",
                "api-wrong-type",
                "negative",
                statuses=bad,
                where=f"path {name}",
                value='"abc"',
                expected=words,
            )


def _body(requirement: Requirement) -> Iterator[CoverageItem]:
    body = body_of(requirement.data)
    if body is None:
        return
    media, schema = body
    bad, words = client_error(requirement, "422", "400")
    if media != JSON_TYPE and "json" not in media:
        return
    for place in places(schema):
        yield from around(requirement, place, f"body {place.pointer}")
    if (requirement.data.get("requestBody") or {}).get("required") or merged(schema).get("required"):
        yield api_item(
            requirement,
            "error_guessing",
            "empty object as body",
            "api-empty-body",
            "negative",
            statuses=bad,
            where="body /",
            value="{}",
            expected=f"{words}{unchanged(requirement)}",
        )
    yield api_item(
        requirement,
        "syntax",
        "body that is not well-formed JSON",
        "api-malformed-body",
        "negative",
        statuses=list(dict.fromkeys(["400", *bad])),
        where="raw_body",
        value='{"cut',
        expected=f"A client error status: {', '.join(dict.fromkeys(['400', *bad]))}{unchanged(requirement)}",
    )
    wrong = list(dict.fromkeys(["415", "400", *bad]))
    yield api_item(
        requirement,
        "error_guessing",
        "body of another content type (text/plain)",
        "api-wrong-content-type",
        "negative",
        statuses=wrong,
        where="content_type",
        value="text/plain",
        expected=f"A client error status: {', '.join(wrong)}{unchanged(requirement)}",
    )


def _credentials(requirement: Requirement) -> Iterator[CoverageItem]:
    if not needs_credentials(requirement.data):
        return
    statuses, words = client_error(requirement, "401")
    for value, what in (("none", "without credentials"), ("invalid", "with credentials that are not valid")):
        yield api_item(
            requirement,
            "permission",
            what,
            f"api-{value}-credentials",
            "negative",
            statuses=statuses,
            where="auth",
            value=value,
            expected=f"{words}; no data are returned",
        )


def _other_method(requirement: Requirement, known: set[str]) -> Iterator[CoverageItem]:
    method = next((one for one in _METHODS if one not in known), None)
    if method is not None:
        yield make_item(
            requirement,
            "error_guessing",
            f"{method} {requirement.data.get('path')}: method that is not documented",
            rule="api-method-not-allowed",
            polarity="negative",
            parameters={STATUS: "404 405", WHERE: "method", VALUE: method},
            expected=f"A client error status: 404, 405{unchanged(requirement)}",
        )
