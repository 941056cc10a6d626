"""Which answer would change the decision: what is unknown is filled in, one value at a time, and judged again.

Nothing is guessed: the verdict's own functions decide with each possible answer, and a question whose answers all lead to
the same decision has no stake.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from qa_agents.triage.schema import Fact, FactName, Proposal, Relation
from qa_agents.triage.severity.factors import UNKNOWN, Factor, level_of_factors, with_value
from qa_agents.triage.severity.rubric import Rubric

ASKED_BY = {"reach": "reach", "workaround": "workaround", "regression": "frequency", "frequency": "frequency"}
"""Factor of the rubric to the question that asks for it."""
DIMENSIONS: Mapping[FactName, str] = {
    "version": "version",
    "os": "environment",
    "platform": "environment",
    "error_code": "log",
    "exception": "log",
}
"""Dimension of the difference check to the question that asks for it."""
NO_SUCH = {"version": "0.0.1", "os": "no such system", "platform": "no such platform"}
"""Stands for "another one" in the second world; other dimensions take a word that no report holds."""
OTHER = "no-such-value"
MAX_TARGETS = 3

Again = Callable[[Sequence[Fact]], list[Relation]]
"""The relations, were these the report's facts."""


class Stake(NamedTuple):
    """What hangs on an answer: how much, and in which words."""

    weight: float
    """About 1 for a severity one level away, more where the top, the component or a relation hangs on it."""
    reason: str


def severity_stakes(factors: Mapping[str, Factor], rubric: Rubric, words: Sequence[str]) -> dict[str, Stake]:
    """By question: which unknown factors would move the level. At most one of them, the one that moves it farthest.

    One, because the others would move a level that the first answer has already changed.
    """
    if factors["impact"].value == UNKNOWN:
        return {"impact": Stake(2.0, "Without it the severity cannot be rated.")}
    level, _ = level_of_factors(factors, rubric)
    found: dict[str, Stake] = {}
    for name, question in ASKED_BY.items():
        if name not in rubric.factors or factors[name].value != UNKNOWN:
            continue
        moved = {
            value: at
            for value in rubric.factors[name]
            if (at := level_of_factors(with_value(factors, name, value), rubric)[0]) != level
        }
        if moved:
            value, at = min(moved.items(), key=lambda pair: pair[1])
            weight = 1.0 + 0.5 * (at == 1) + 0.1 * len(moved)
            to = rubric.word_for(at, words)
            reason = f"With {name} “{value}” the severity would be {to} instead of {rubric.word_for(level, words)}."
            if question not in found or found[question].weight < weight:
                found[question] = Stake(weight, reason)
    best = max(found, key=lambda question: found[question].weight, default=None)
    return {best: found[best]} if best else {}


def component_stakes(proposal: Proposal) -> dict[str, Stake]:
    """Whether knowing the place would settle an open component."""
    if proposal.value is not None or len(proposal.alternatives) < 2:
        return {}
    first, second = (alternative.value for alternative in proposal.alternatives[:2])
    return {"area": Stake(1.4, f"It would decide between the components {first} and {second}.")}


def relation_stakes(
    facts: Sequence[Fact],
    mine: Mapping[str, set[str]],
    targets: Sequence[tuple[str, Mapping[str, set[str]]]],
    again: Again,
) -> dict[str, Stake]:
    """By question: whether knowing a version, system or error would change how the report relates to a past incident.

    `mine` and `targets` hold comparable values per dimension; only what the report leaves open and a target names is tried,
    once with the target's value and once with another.
    """
    found: dict[str, Stake] = {}
    for target, theirs in targets[:MAX_TARGETS]:
        for dimension, question in DIMENSIONS.items():
            values = theirs.get(dimension)
            if not values or mine.get(dimension) or question in found:
                continue
            worlds = (min(values), NO_SUCH.get(dimension, OTHER))
            kinds = [_kind(again([*facts, _supposed(dimension, value)]), target) for value in worlds]
            if kinds[0] != kinds[1]:
                reason = f"It would decide between {kinds[0]} and {kinds[1]} for {target}."
                found[question] = Stake(2.5, reason)
    return found


def _kind(relations: Sequence[Relation], target: str) -> str:
    relation = next((relation for relation in relations if relation.incident_id == target), None)
    return relation.kind if relation else "no relation"


def _supposed(name: FactName, value: str) -> Fact:
    return Fact(name=name, value=value, quote=value, field="description", start=0, end=0)
