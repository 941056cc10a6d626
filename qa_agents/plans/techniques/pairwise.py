"""Pairwise testing, ISO/IEC/IEEE 29119-4, 5.2.5: every two values of different parameters meet in some combination."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from typing import Any

from covertable import make  # type: ignore[import-untyped]

from qa_agents.plans.schema import CoverageItem, Requirement
from qa_agents.plans.techniques.items import make_item
from qa_agents.plans.wording import REFUSAL, normal

FEWEST_PARAMETERS = 3
MOST_PARAMETERS, MOST_VALUES = 10, 12
"""Beyond this, the first so many count; the rest is said to be left out by the budget."""
Excluded = Sequence[Mapping[str, str]]


def pairwise(requirement: Requirement) -> Iterator[CoverageItem]:
    """One item for each pair of listed values; pairs that a rule of the requirement refuses are left out."""
    factors = factors_of(requirement)
    if len(factors) < FEWEST_PARAMETERS:
        return
    excluded = excluded_by_rules(requirement, factors)
    for pair in feasible_pairs(factors, excluded):
        (a, x), (b, y) = pair
        yield make_item(
            requirement,
            "pairwise",
            f"{a} = {x} together with {b} = {y}",
            rule="pair-of-values",
            parameters={a: x, b: y},
            expected=f"{a} = {x} together with {b} = {y} is accepted",
        )


def factors_of(requirement: Requirement) -> dict[str, list[str]]:
    """The parameters with a list of values: enumerations and booleans."""
    found: dict[str, list[str]] = {}
    for field in requirement.fields:
        values = field.enum or (["true", "false"] if (field.type or "").lower() == "boolean" else [])
        values = list(dict.fromkeys(values))[:MOST_VALUES]
        if len(values) > 1 and len(found) < MOST_PARAMETERS:
            found.setdefault(field.name, values)
    return found


def excluded_by_rules(requirement: Requirement, factors: Mapping[str, Sequence[str]]) -> list[dict[str, str]]:
    """Combinations that a stated rule refuses, in the spelling of the factors."""
    names = {normal(name): name for name in factors}
    found = []
    for rule in requirement.rules:
        if not REFUSAL.search(rule.outcome):
            continue
        part: dict[str, str] = {}
        for condition in rule.conditions:
            name = names.get(normal(condition.name))
            values = {normal(value): value for value in factors.get(name or "", ())}
            if name is None or normal(condition.value) not in values:
                break
            part[name] = values[normal(condition.value)]
        else:
            if part:
                found.append(part)
    return found


def combine(factors: Mapping[str, Sequence[str]], excluded: Excluded = ()) -> list[dict[str, str]]:
    """Rows in which every feasible pair of values occurs, the same rows for the same input; never an excluded combination."""
    constraints: list[dict[str, Any]] = [
        {
            "operator": "or",
            "conditions": [{"operator": "ne", "left": name, "value": value} for name, value in part.items()],
        }
        for part in excluded
    ]
    rows = make({name: list(values) for name, values in factors.items()}, strength=2, constraints=constraints)
    return [{name: str(row[name]) for name in factors} for row in rows]


def feasible_pairs(
    factors: Mapping[str, Sequence[str]], excluded: Excluded = ()
) -> list[tuple[tuple[str, str], tuple[str, str]]]:
    """Every pair of values of different parameters that some allowed full combination holds."""
    return [
        ((a, x), (b, y))
        for a, b in combinations(factors, 2)
        for x in factors[a]
        for y in factors[b]
        if _completes(factors, excluded, {a: x, b: y})
    ]


def _completes(factors: Mapping[str, Sequence[str]], excluded: Excluded, row: dict[str, str]) -> bool:
    """Whether the partial row can be completed; backtracking over the parameters that an exclusion names."""
    if any(all(row.get(name) == value for name, value in part.items()) for part in excluded):
        return False
    open_ = [name for part in excluded for name in part if name not in row]
    if not open_:
        return True
    return any(_completes(factors, excluded, {**row, open_[0]: value}) for value in factors[open_[0]])
