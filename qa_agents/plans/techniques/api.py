"""Coverage items of an API operation: valid, boundary and negative requests, credentials, content type, keys, methods.

Where the description documents the status that fits, that one is expected; where it does not, the status follows from HTTP
Semantics, RFC 9110 (401 and 15.5.2, 404 and 15.5.5, 405 and 15.5.6, 415 and 15.5.16).
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from qa_agents.plans.schema import CoverageItem, Polarity, Requirement, Technique
from qa_agents.plans.techniques.api_request import (
    ABSENT,
    JSON_TYPE,
    STATUS,
    VALUE,
    WHERE,
    body_of,
    needs_credentials,
    parameters_of,
    response_schema,
)
from qa_agents.plans.techniques.items import make_item
from qa_agents.plans.techniques.json_schema import (
    WRONG,
    Place,
    excluded,
    leaves,
    limits,
    merged,
    nullable,
    places,
    text_of_length,
    type_of,
)
from qa_agents.plans.wording import cut

MOST_NAMED = 12
_SECRET_NAME = re.compile(r"pass|pwd|secret|token|key", re.I)
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


def _item(
    requirement: Requirement,
    technique: Technique,
    what: str,
    rule: str,
    polarity: Polarity,
    *,
    statuses: Sequence[str],
    where: str = "",
    value: str = "",
    expected: str,
) -> CoverageItem:
    parameters = {STATUS: " ".join(statuses)}
    if where:
        parameters |= {WHERE: where, VALUE: value}
    return make_item(
        requirement,
        technique,
        f"{_name(requirement)}: {what}",
        rule=rule,
        polarity=polarity,
        parameters=parameters,
        expected=expected,
    )


def _name(requirement: Requirement) -> str:
    return f"{str(requirement.data['method']).upper()} {requirement.data.get('path', '/')}"


def _unchanged(requirement: Requirement) -> str:
    """What else holds of a refused request; reading changes nothing anyway."""
    return "" if str(requirement.data["method"]).lower() in ("get", "head", "options") else "; nothing is changed"


def _documented(requirement: Requirement) -> list[str]:
    return [str(code) for code in (requirement.data.get("responses") or {})]


def success_of(requirement: Requirement) -> str:
    """The first documented 2xx status, 200 where none is."""
    return next((code for code in sorted(_documented(requirement)) if code.startswith("2") and code.isdigit()), "200")


def _client_error(requirement: Requirement, *wanted: str) -> tuple[list[str], str]:
    """The documented status among those wanted, else all of them; with the words for it."""
    documented = _documented(requirement)
    for code in wanted:
        if code in documented:
            return [code], f"Status {code}{_described(requirement, code)}"
    return list(wanted), f"A client error status: {', '.join(wanted)}"


def _described(requirement: Requirement, code: str) -> str:
    answer = (requirement.data.get("responses") or {}).get(code)
    words = answer.get("description") if isinstance(answer, Mapping) else None
    return f" ({cut(str(words), 80)})" if words else ""


def _succeeds(requirement: Requirement) -> tuple[list[str], str]:
    code = success_of(requirement)
    schema = response_schema(requirement.data, code)
    names = list(dict.fromkeys(leaves(schema))) if schema else []
    more = " and others" if len(names) > MOST_NAMED else ""
    holds = f"; the body has the documented shape: {', '.join(names[:MOST_NAMED])}{more}" if names else ""
    return [code], f"Status {code}{_described(requirement, code)}{holds}"


def _valid(requirement: Requirement) -> Iterator[CoverageItem]:
    statuses, expected = _succeeds(requirement)
    caller = "authenticated" if needs_credentials(requirement.data) else "anonymous"
    body = body_of(requirement.data)
    optional = bool(body and [place for place in places(body[1]) if not place.required])
    least = "with required values only" if optional else "valid request"
    yield _item(
        requirement,
        "equivalence",
        f"{least} ({caller})",
        "api-valid-minimal",
        "positive",
        statuses=statuses,
        expected=expected,
    )
    if optional:
        yield _item(
            requirement,
            "equivalence",
            f"with all optional values too ({caller})",
            "api-valid-full",
            "positive",
            statuses=statuses,
            expected=expected,
        )


def _parameters(requirement: Requirement) -> Iterator[CoverageItem]:
    statuses, expected = _succeeds(requirement)
    for parameter in parameters_of(requirement.data, "query") + parameters_of(requirement.data, "header"):
        name, schema = str(parameter.get("name", "")), merged(parameter.get("schema"))
        if not name or name.lower() in ("authorization", "content-type", "accept"):
            continue
        part = "query" if parameter.get("in") == "query" else "headers"
        place = Place((name,), schema, bool(parameter.get("required")))
        words = cut(str(parameter.get("description") or ""), 100)
        if not place.required:
            value = json.dumps(
                text_of_length(schema, name, None)
                if type_of(schema) == "string" and not schema.get("enum")
                else _first(schema)
            )
            yield _item(
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
        yield from _around(requirement, place, f"{part} {name}")
    for parameter in parameters_of(requirement.data, "path"):
        name, schema = str(parameter.get("name", "")), merged(parameter.get("schema"))
        unknown, words_404 = _client_error(requirement, "404")
        if "404" not in _documented(requirement):
            unknown = list(
                dict.fromkeys(["404", *(code for code in _documented(requirement) if code in ("400", "410", "422"))])
            )
            words_404 = f"A client error status: {', '.join(unknown)}"
        if (
            success_of(requirement) not in _documented(requirement)
            or str(requirement.data["method"]).lower() != "put"
            or name
        ):
            nothing: Any = 999_999_999 if type_of(schema) in ("integer", "number") else f"no-such-{name}"
            yield _item(
                requirement,
                "error_guessing",
                f"{name} of something that does not exist",
                "api-unknown-key",
                "negative",
                statuses=unknown,
                where=f"path {name}",
                value=json.dumps(nothing),
                expected=f"{words_404}{_unchanged(requirement)}",
            )
        if type_of(schema) in ("integer", "number"):
            bad, words = _client_error(requirement, "422", "400", "404")
            yield _item(
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
    bad, words = _client_error(requirement, "422", "400")
    if media != JSON_TYPE and "json" not in media:
        return
    for place in places(schema):
        yield from _around(requirement, place, f"body {place.pointer}")
    if (requirement.data.get("requestBody") or {}).get("required") or merged(schema).get("required"):
        yield _item(
            requirement,
            "error_guessing",
            "empty object as body",
            "api-empty-body",
            "negative",
            statuses=bad,
            where="body /",
            value="{}",
            expected=f"{words}{_unchanged(requirement)}",
        )
    yield _item(
        requirement,
        "syntax",
        "body that is not well-formed JSON",
        "api-malformed-body",
        "negative",
        statuses=list(dict.fromkeys(["400", *bad])),
        where="raw_body",
        value='{"cut',
        expected=f"A client error status: {', '.join(dict.fromkeys(['400', *bad]))}{_unchanged(requirement)}",
    )
    wrong = list(dict.fromkeys(["415", "400", *bad]))
    yield _item(
        requirement,
        "error_guessing",
        "body of another content type (text/plain)",
        "api-wrong-content-type",
        "negative",
        statuses=wrong,
        where="content_type",
        value="text/plain",
        expected=f"A client error status: {', '.join(wrong)}{_unchanged(requirement)}",
    )


def _first(schema: Mapping[str, Any]) -> Any:
    from qa_agents.plans.techniques.json_schema import sample

    return sample(schema)


def _around(requirement: Requirement, place: Place, where: str) -> Iterator[CoverageItem]:
    """Values in and around what the schema of one place allows."""
    schema, kind, name = place.schema, type_of(place.schema), place.name
    bad, refused = _client_error(requirement, "422", "400")
    good, accepted = _succeeds(requirement)

    def negative(technique: Technique, what: str, rule: str, value: Any) -> CoverageItem:
        text = value if value is ABSENT else json.dumps(value)
        return _item(
            requirement,
            technique,
            what,
            rule,
            "negative",
            statuses=bad,
            where=where,
            value=text,
            expected=f"{refused}{_unchanged(requirement)}",
        )

    def positive(
        technique: Technique, what: str, rule: str, value: Any, polarity: Polarity = "boundary"
    ) -> CoverageItem:
        return _item(
            requirement,
            technique,
            what,
            rule,
            polarity,
            statuses=good,
            where=where,
            value=json.dumps(value),
            expected=accepted,
        )

    if place.required:
        yield negative("equivalence", f"{name} missing although required", "api-missing-required", ABSENT)
        if not nullable(schema) and where.startswith("body "):
            yield negative("error_guessing", f"{name} = null although null is no value of it", "api-null", None)
    # A number in the place of a password would look like a leaked one.
    wrong = ["sample"] if kind == "string" and _SECRET_NAME.search(name) else WRONG.get(kind)
    if kind in WRONG and not (kind == "string" and where.startswith(("query ", "headers "))):
        yield negative(
            "equivalence", f"{name} = {json.dumps(wrong)} instead of a value of type {kind}", "api-wrong-type", wrong
        )
    values = schema.get("enum")
    if isinstance(values, list) and values:
        for value in values[:20]:
            if value is not None:
                yield positive(
                    "equivalence", f"{name} = {json.dumps(value)} (listed value)", "api-listed-value", value, "positive"
                )
        if kind == "string":
            yield negative(
                "equivalence",
                f'{name} = "unlisted-value" (not one of the listed values)',
                "api-unlisted-value",
                "unlisted-value",
            )
        return
    if kind in ("integer", "number"):
        low, high = limits(schema)
        step = 1 if kind == "integer" else 0.5
        for side, limit, sign in (("minimum", low, -1), ("maximum", high, 1)):
            if limit is None:
                continue
            on, out = (limit - sign * step, limit) if excluded(schema, side) else (limit, limit + sign * step)
            yield positive("boundary2", f"{name} = {on} (on the {side} {limit})", f"api-on-{side}", on)
            yield negative("boundary2", f"{name} = {out} (just outside the {side} {limit})", f"api-outside-{side}", out)
    if kind == "string":
        least, most = schema.get("minLength"), schema.get("maxLength")
        for side, length, sign in (("minimum", least, -1), ("maximum", most, 1)):
            if not isinstance(length, int) or length > 100_000:
                continue
            yield positive(
                "boundary2",
                f"{name} with {length} characters (on the {side} length)",
                f"api-on-{side}-length",
                text_of_length(schema, name, length),
            )
            if length + sign >= 0:
                yield negative(
                    "boundary2",
                    f"{name} with {length + sign} characters (just outside the {side} length)",
                    f"api-outside-{side}-length",
                    text_of_length(schema, name, length + sign),
                )
        if schema.get("format") in ("email", "uri", "date", "date-time", "uuid"):
            yield negative(
                "syntax",
                f'{name} = "not-well-formed" (not of the format {schema["format"]})',
                "api-malformed-value",
                "not-well-formed",
            )


def _credentials(requirement: Requirement) -> Iterator[CoverageItem]:
    if not needs_credentials(requirement.data):
        return
    statuses, words = _client_error(requirement, "401")
    for value, what in (("none", "without credentials"), ("invalid", "with credentials that are not valid")):
        yield _item(
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
            expected="A client error status: 404, 405{_unchanged(requirement)}",
        )
