"""Decision tables, ISO/IEC/IEEE 29119-4, 5.2.6: every stated rule, and the combinations that no rule speaks of."""

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import product

from qa_agents.plans.actions import is_lasting
from qa_agents.plans.schema import CoverageItem, DecisionRule, Requirement
from qa_agents.plans.techniques.items import make_item
from qa_agents.plans.techniques.statement import clauses
from qa_agents.plans.wording import REFUSAL, bare_condition, cut, flat, normal, opposite

MOST_COMBINATIONS = 128
"""Larger tables are not completed: what is missing there is for pairwise, not for a list."""
ANY = frozenset({"", "-", "–", "—", "*", "any", "all", "n/a", "either", "don't care"})
"""Cells that say that the condition does not matter."""
_SEVERAL = re.compile(r"\b(?:all|every|each|any|both|and|or)\b|,", re.I)
_CLAUSES = re.compile(r"\b(?:that|which|who|when|if|unless)\b|[,;:]", re.I)
"""Where these stand, a plain negation would negate the wrong part."""
_WRAPPED = "it is not the c"
_SEEN = re.compile(
    r"\b(?:hidden|hides?|shown?|shows|displayed|displays|visible|invisible|disabled?|enabled?|available"
    r"|greyed|grayed|checked|selected"
    r"|highlighted|active|locked|read-only)\b",
    re.I,
)
"""A state that can be looked at: where it depends on a condition, it is not there without the condition."""


def decisions(requirements: Sequence[Requirement]) -> Iterator[CoverageItem]:
    """Items for stated rules, for conditions that do not hold, and for the combinations a table leaves open."""
    for requirement in requirements:
        for rule in requirement.rules if _has_table(requirement) else ():
            yield _stated(requirement, rule)
        yield from _not_met(requirement)
    for rows in _tables(requirements):
        yield from _missing(rows)


def in_words(rule: DecisionRule) -> str:
    """The rule's conditions as one phrase."""
    return ", ".join(
        flat(f"{c.name} = {c.value}") if c.value.lower() not in ("true", "yes", "holds") else flat(c.name)
        for c in rule.conditions
        if c.value.strip().lower() not in ANY
    )


def _stated(requirement: Requirement, rule: DecisionRule) -> CoverageItem:
    outcome = flat(rule.outcome)
    return make_item(
        requirement,
        "decision",
        f"{in_words(rule) or 'in every case'} → {outcome}",
        rule="stated-rule",
        polarity="negative" if REFUSAL.search(outcome) else "positive",
        parameters={c.name: c.value for c in rule.conditions},
        expected=outcome,
        basis="quote",
    )


def _not_met(requirement: Requirement) -> Iterator[CoverageItem]:
    """The other side of a condition that decides what can be seen: without it, the opposite is there."""
    condition = requirement.precondition or requirement.trigger
    response = _first_seen(requirement.response or "")
    if not condition or not _SEEN.search(response) or len(requirement.rules) > 1 or not is_lasting(condition):
        return
    bare = opposite(cut(bare_condition(condition), 160))
    outcome = opposite(response)
    if _SEVERAL.search(condition) or _CLAUSES.search(response) or _WRAPPED in (bare[:15].lower(), outcome[:15].lower()):
        return
    yield make_item(
        requirement,
        "decision",
        f"{bare} → {outcome}",
        rule="condition-not-met",
        polarity="negative",
        parameters={"condition": bare},
        expected=outcome,
    )


def _first_seen(response: str) -> str:
    """The first of several outcomes where it can be looked at, else all of them: what is turned round is one thing."""
    first = re.split(r" and (?=[a-z]+ (?:the|an?|its?|their|them)\b)", clauses(response)[0], maxsplit=1)[0]
    return first if _SEEN.search(first) else response


def _tables(requirements: Sequence[Requirement]) -> Iterator[list[tuple[Requirement, DecisionRule]]]:
    """Rows that stand under one heading and share their conditions' names.

    Sentences are no table: what they leave open is mostly said by the sentence that begins with "otherwise".
    """
    tables: dict[tuple[object, ...], list[tuple[Requirement, DecisionRule]]] = defaultdict(list)
    for requirement in requirements:
        for rule in requirement.rules:
            if not _has_table(requirement):
                continue
            names = frozenset(normal(c.name) for c in rule.conditions)
            tables[(requirement.source_id, tuple(requirement.heading_path), names)].append((requirement, rule))
    yield from (rows for rows in tables.values() if len(rows) > 1 and len(rows[0][1].conditions) > 1)


def _has_table(requirement: Requirement) -> bool:
    """Whether its rules are rows; one rule in one sentence is that statement, and no table."""
    return len(requirement.rules) > 1 or not requirement.response


def _missing(rows: list[tuple[Requirement, DecisionRule]]) -> Iterator[CoverageItem]:
    """One item for every combination of named values that no rule covers; its outcome is open."""
    first = rows[0][0]
    names = {normal(c.name): c.name for c in rows[0][1].conditions}
    domains: dict[str, dict[str, str]] = {name: {} for name in names}
    for _, rule in rows:
        for c in rule.conditions:
            if c.value.strip().lower() not in ANY:
                domains[normal(c.name)].setdefault(normal(c.value), c.value)
    for name, values in domains.items():
        if set(values) == {"yes"} or set(values) == {"true"}:
            domains[name] |= {"no": "no"} if "yes" in values else {"false": "false"}
    size = 1
    for values in domains.values():
        size *= max(len(values), 1)
    if size > MOST_COMBINATIONS or any(not values for values in domains.values()):
        return
    for combination in product(*(domains[name] for name in names)):
        wanted = dict(zip(names, combination, strict=True))
        if any(_covers(rule, wanted) for _, rule in rows):
            continue
        parameters = {names[name]: domains[name][value] for name, value in wanted.items()}
        words = ", ".join(f"{name} = {value}" for name, value in parameters.items())
        yield make_item(
            first,
            "decision",
            f"{words} → no rule says what happens",
            rule="missing-combination",
            polarity="negative",
            parameters=parameters,
            basis="assumption",
        )


def _covers(rule: DecisionRule, wanted: dict[str, str]) -> bool:
    return all(c.value.strip().lower() in ANY or wanted.get(normal(c.name)) == normal(c.value) for c in rule.conditions)
