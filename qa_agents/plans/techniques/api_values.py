"""Values in and around what the schema of one place of an API request allows."""

import json
import re
from collections.abc import Iterator
from typing import Any

from qa_agents.plans.schema import CoverageItem, Polarity, Requirement, Technique
from qa_agents.plans.techniques.api_items import api_item, client_error, succeeds, unchanged
from qa_agents.plans.techniques.api_request import ABSENT
from qa_agents.plans.techniques.json_schema import WRONG, Place, excluded, limits, nullable, text_of_length, type_of

_SECRET_NAME = re.compile(r"pass|pwd|secret|token|key", re.I)


def around(requirement: Requirement, place: Place, where: str) -> Iterator[CoverageItem]:
    """Values in and around what the schema of one place allows."""
    schema, kind, name = place.schema, type_of(place.schema), place.name
    bad, refused = client_error(requirement, "422", "400")
    good, accepted = succeeds(requirement)

    def negative(technique: Technique, what: str, rule: str, value: Any) -> CoverageItem:
        text = value if value is ABSENT else json.dumps(value)
        return api_item(
            requirement,
            technique,
            what,
            rule,
            "negative",
            statuses=bad,
            where=where,
            value=text,
            expected=f"{refused}{unchanged(requirement)}",
        )

    def positive(
        technique: Technique, what: str, rule: str, value: Any, polarity: Polarity = "boundary"
    ) -> CoverageItem:
        return api_item(
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
