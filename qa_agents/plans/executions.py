"""Which coverage items one execution can cover: the groups that become cases."""

import json
import re
from collections.abc import Sequence

from qa_agents.plans.schema import CoverageItem, Requirement, TestCase
from qa_agents.plans.techniques.api_request import request_for
from qa_agents.plans.techniques.pairwise import combine, excluded_by_rules, factors_of
from qa_agents.plans.wording import normal

_SHOWN_BY = frozenset({"threshold-reached", "output-at-maximum", "output-at-minimum"})
"""Situations that show a statement with a limit; it needs no other execution."""
Group = tuple[CoverageItem, ...]
"""Items of one requirement that are exercised together; the first gives the case its words."""
_TOGETHER = frozenset({"within-range", "listed-value", "boolean-value", "well-formed", "matches-pattern"})
"""Valid classes of different fields: one execution can hold one of each."""


def groups_of(requirement: Requirement, items: Sequence[CoverageItem]) -> list[Group]:
    """The items of one requirement as executions: equal inputs once, valid classes of different fields together.

    A negative item stands alone, so that what refuses it is known (ISTQB, error masking).
    """
    groups: list[Group] = []
    pairs = [item for item in items if item.technique == "pairwise"]
    rest = [item for item in items if item.technique != "pairwise"]
    if requirement.data.get("method"):
        return _same_request(requirement, rest)
    valid = [item for item in rest if item.rule in _TOGETHER]
    others = [item for item in rest if item.rule not in _TOGETHER]
    combined = _rows(requirement, pairs, valid) if pairs else []
    placed = {item.id for group in combined for item in group}
    combined += _packed([item for item in valid if item.id not in placed])
    statements = [item for item in others if item.technique == "requirement"]
    shown = next((item for item in others if item.rule in _SHOWN_BY), None)
    if len(statements) == 1 and shown is not None:
        others = [item for item in others if item is not statements[0]]
        place = next(place for place, item in enumerate(others) if item is shown)
        copy = statements[0].model_copy(update={"parameters": shown.parameters, "expected": shown.expected})
        others.insert(place + 1, copy)
        statements = []
    if len(statements) == 1 and combined and not statements[0].parameters:
        combined[0] = (statements[0], *combined[0])
        others = [item for item in others if item.technique != "requirement"]
    groups += _same_input(others)
    groups = _with_absence(requirement, _with_row(requirement, groups))
    first = [group for group in groups if group[0].technique == "requirement"]
    return [*first, *combined, *(group for group in groups if group[0].technique != "requirement")]


def _with_row(requirement: Requirement, groups: list[Group]) -> list[Group]:
    """The groups, the statement of a table's row taken into the first that shows a valid value of its field."""
    row = next((group for group in groups if len(group) == 1 and group[0].technique == "requirement"), None)
    shown = next((group for group in groups if group is not row and group[0].polarity != "negative"), None)
    if row is None or shown is None or not requirement.fields or " | " not in requirement.quote:
        return groups
    return [(*group, *row) if group is shown else group for group in groups if group is not row]


_ONLY_PRESENCE = re.compile(
    r"[^,;:]{2,80} (?:is|are|must be|shall be) (?:not )?(?:required|mandatory|optional|compulsory)\W*", re.I
)


def _with_absence(requirement: Requirement, groups: list[Group]) -> list[Group]:
    """The groups, a statement that says no more than `is required` taken into the one that leaves its field out."""
    plain = next((group for group in groups if len(group) == 1 and group[0].technique == "requirement"), None)
    absent = next((group for group in groups if group[0].rule in ("missing-required", "optional-absent")), None)
    if plain is None or absent is None or not _ONLY_PRESENCE.fullmatch(requirement.text):
        return groups
    return [(*group, *plain) if group is absent else group for group in groups if group is not plain]


def folded(cases: Sequence[TestCase]) -> list[TestCase]:
    """The cases of one requirement, an accepted example taken into the case that feeds in the same and expects more of it."""
    kept: list[TestCase] = []
    for case in cases:
        place = next((i for i, one in enumerate(kept) if _holds(one, case)), None)
        if place is None:
            kept.append(case)
        else:
            more = [*kept[place].item_ids, *(name for name in case.item_ids if name not in kept[place].item_ids)]
            kept[place] = kept[place].model_copy(update={"item_ids": more})
    return kept


def _holds(one: TestCase, other: TestCase) -> bool:
    """Whether the first cannot pass unless the second does."""
    data = other.steps[0].data
    return (
        bool(data)
        and other.technique == "syntax"
        and "negative" not in (one.polarity, other.polarity)
        and not one.question_ids
        and len(one.steps) == len(other.steps) == 1
        and one.steps[0].data == data
    )


def _same_request(requirement: Requirement, items: Sequence[CoverageItem]) -> list[Group]:
    """Items of an API operation that come to the same request and the same answer."""
    found: dict[str, list[CoverageItem]] = {}
    for item in items:
        key = json.dumps([request_for(requirement, item), item.expected], sort_keys=True, default=str)
        found.setdefault(key, []).append(item)
    return [tuple(group) for group in found.values()]


def _same_input(items: Sequence[CoverageItem]) -> list[Group]:
    """Items with the same values, polarity and outcome are one execution: a limit serves both boundary techniques."""
    found: dict[tuple[object, ...], list[CoverageItem]] = {}
    for item in items:
        side = "negative" if item.polarity == "negative" else "valid"
        values = tuple(sorted(item.parameters.items()))
        # Without values there is nothing to be equal in but the words.
        key = (side, values, normal(item.expected or ""), "" if values else item.what)
        found.setdefault(key, []).append(item)
    return [tuple(group) for group in found.values()]


def _rows(requirement: Requirement, pairs: Sequence[CoverageItem], valid: Sequence[CoverageItem]) -> list[Group]:
    """A covering array's rows, each with the pairs and the listed values that it is the first to hold."""
    factors = factors_of(requirement)
    open_ = {item.id: item for item in [*pairs, *valid]}
    groups: list[Group] = []
    for row in combine(factors, excluded_by_rules(requirement, factors)):
        held = [
            item for item in open_.values() if all(row.get(name) == value for name, value in item.parameters.items())
        ]
        words = " and ".join(f"{name} = {value}" for name, value in row.items())
        shown = {"parameters": row, "expected": f"{words} together are accepted", "what": words}
        if held:
            groups.append((held[0].model_copy(update=shown), *held[1:]))
            for item in held:
                del open_[item.id]
    return groups


def _packed(valid: Sequence[CoverageItem]) -> list[Group]:
    """The fewest executions in which every valid class of every field occurs: as many as the field with most classes has."""
    packs: list[dict[str, CoverageItem]] = []
    for item in valid:
        names = set(item.parameters)
        for pack in packs:
            if not names & pack.keys():
                pack.update(dict.fromkeys(names, item))
                break
        else:
            packs.append(dict.fromkeys(names, item))
    return [tuple({item.id: item for item in pack.values()}.values()) for pack in packs]
