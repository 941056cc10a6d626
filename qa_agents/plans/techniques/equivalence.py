"""Equivalence partitioning, ISO/IEC/IEEE 29119-4, 5.2.1: one item for each valid and each invalid class of a field."""

import re
from collections.abc import Iterator

from qa_agents.plans.requirements.measures import REPEATED
from qa_agents.plans.schema import CoverageItem, FieldSpec, Requirement
from qa_agents.plans.techniques.items import make_item
from qa_agents.plans.techniques.roles import role_of
from qa_agents.plans.techniques.values import DATES, NUMERIC, Edge, edges, shown, sides, typical, with_unit
from qa_agents.plans.wording import outcome_of, refuses

_ENTERED = re.compile(
    r"\b(?:fields?|values?|enter(?:s|ed)?|parameters?|attributes?|forms?|columns?|propert(?:y|ies)|keys?"
    r"|names?|inputs?)\b",
    re.I,
)
ABSENT = "(absent)"
"""The value of a parameter that is left out."""
_WAYS = re.compile(r"\b(?:using|by|with|through|via) either\b", re.I)
"""`Using either A or B` names ways to do something, and no list of values that excludes others."""


def partitions(requirement: Requirement) -> Iterator[CoverageItem]:
    """The classes of every input field of the requirement; nothing for limits on what the product puts out."""
    for field in requirement.fields:
        if role_of(field, requirement) == "input":
            yield from _of_field(requirement, field)


def _of_field(requirement: Requirement, field: FieldSpec) -> Iterator[CoverageItem]:
    name = field.name
    middle = typical(field)
    if middle is not None:
        limits = " and ".join(sides(field))
        value = with_unit(middle, field)
        yield make_item(
            requirement,
            "equivalence",
            f"{name} = {value} ({limits})",
            rule="within-range",
            parameters={name: value},
            expected=f"{name} = {value} is accepted",
        )
        for edge in edges(field):
            yield _refused(requirement, field, with_unit(edge.outside, field), outside(edge), f"beyond-{edge.side}")
    for value in field.enum:
        yield make_item(
            requirement,
            "equivalence",
            f"{name} = {value}",
            rule="listed-value",
            parameters={name: value},
            expected=f"{name} = {value} is accepted",
        )
    if field.enum and not _WAYS.search(requirement.quote):
        yield _refused(requirement, field, _unlisted(field.enum), "not one of the listed values", "unlisted-value")
    kind = (field.type or "").lower()
    if kind == "boolean" and not field.enum:
        for value in ("true", "false"):
            yield make_item(
                requirement,
                "equivalence",
                f"{name} = {value}",
                rule="boolean-value",
                parameters={name: value},
                expected=f"{name} = {value} is accepted",
            )
    if kind in NUMERIC and kind not in ("enum", "boolean") and not field.enum and field.unit not in REPEATED:
        yield _refused(requirement, field, "abc", "letters where a number is asked for", "wrong-type")
    if kind in DATES:
        yield _refused(requirement, field, "abc", "letters where a date is asked for", "wrong-type")
    if (
        field.required is True
        and field.default is None
        and (field.type or field.place or _ENTERED.search(requirement.quote))
    ):
        yield _refused(requirement, field, ABSENT, "missing although required", "missing-required")
    elif field.required is False:
        yield make_item(
            requirement,
            "equivalence",
            f"{name} left out (optional)",
            rule="optional-absent",
            parameters={name: ABSENT},
            expected=f"The input without {name} is accepted",
        )


def outside(edge: Edge, *, length: bool = False) -> str:
    """Where the nearest value outside a limit lies, in words."""
    limit = f"{edge.side}{' length' if length else ''} {shown(edge.stated)}"
    if edge.outside == edge.stated:
        return f"on the excluded {limit}"
    return f"just {'below' if edge.side == 'minimum' else 'above'} the {limit}"


def refused(requirement: Requirement, name: str, value: str, why: str) -> tuple[str, bool]:
    """What is expected of a value outside the limits, and whether those are the requirement's own words."""
    if refuses(requirement) and requirement.response:
        return outcome_of(requirement), True
    said = f"{name} = {value} is refused" if value != ABSENT else f"The input without {name} is refused"
    if re.fullmatch(r"\d+ characters?", value):
        said = f"{name} with {value} is refused"
    return f"{said} visibly ({why}) and nothing is changed", False


def _refused(requirement: Requirement, field: FieldSpec, value: str, why: str, rule: str) -> CoverageItem:
    expected, quoted = refused(requirement, field.name, value, why)
    what = f"{field.name} = {value} ({why})" if value != ABSENT else f"{field.name} {why}"
    return make_item(
        requirement,
        "equivalence",
        what,
        rule=rule,
        polarity="negative",
        parameters={field.name: value},
        expected=expected,
        basis="quote" if quoted else "derived",
    )


def _unlisted(values: list[str]) -> str:
    if all(value.lstrip("-").isdigit() for value in values):
        return str(max(int(value) for value in values) + 1)
    return next(word for word in ("unlisted", "unlisted-value", "not-in-the-list", "zzz") if word not in values)
