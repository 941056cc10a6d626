"""Is the system as good for everybody? Rates by group with intervals, intersections, and tests of equality and of difference.

"No difference was found" may just mean that nobody could have found one. So each group gets two questions: is it shown to differ
from all others (Holm over the groups), and is it shown to be equal to them within a margin (two one-sided tests)? When neither is
shown, the answer is `undecided`.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import combinations
from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict

from qa_agents.results.bounds import Estimate, mean
from qa_agents.results.gate_metrics import MIN_GROUP, score_of
from qa_agents.results.monitor.change import ALPHA, Difference, Numbers, difference, equivalence
from qa_agents.results.multiplicity import holm
from qa_agents.results.schema import ScoredOutput

MARGIN = 0.05
"""Differences of this size count as none, unless the team says otherwise."""
MAX_VALUES = 20
"""An attribute with more values is no group but a name: a customer's number, a date."""
Standing = Literal["worse", "better", "equal", "undecided", "too few"]


class Group(BaseModel):
    """One group beside all others."""

    model_config = ConfigDict(frozen=True)

    attribute: str
    """`language`, or `language × tier` for an intersection."""
    value: str
    n: int
    now: Estimate
    others: float | None
    gap: float | None
    """The group's mean minus that of all others; (low, high) with 95 %."""
    low: float | None
    high: float | None
    p: float | None
    """Of "no difference", adjusted by Holm over the groups of the attribute."""
    standing: Standing
    detectable: float | None
    """The gap that so many cases would show with a probability of 80 %."""


class Fairness(BaseModel):
    """One score over the groups of one attribute, or of an intersection."""

    model_config = ConfigDict(frozen=True)

    score: str
    attribute: str
    margin: float
    groups: tuple[Group, ...]
    without: int
    """Outputs that do not say which group they belong to."""

    @property
    def standing(self) -> Standing:
        """Of the whole attribute: worse as soon as one group is shown to be, equal only when every group is shown to be."""
        found = {group.standing for group in self.groups} - {"too few"}
        if "worse" in found or "better" in found:
            return "worse"
        return "equal" if found == {"equal"} and len(self.groups) == len(self.compared) else "undecided"

    @property
    def compared(self) -> tuple[Group, ...]:
        """The groups that are large enough."""
        return tuple(group for group in self.groups if group.standing != "too few")


def fairness(
    outputs: Sequence[ScoredOutput],
    score: str,
    attributes: Sequence[str],
    *,
    margin: float = MARGIN,
    min_n: int = MIN_GROUP,
    lower_is_better: bool = False,
) -> Fairness | None:
    """One score by the values of one attribute, or of several together; None when fewer than two groups have any output."""
    name = " × ".join(attributes)
    found: dict[str, list[float]] = defaultdict(list)
    without = 0
    for one in outputs:
        value = score_of(one, score)
        if value is None:
            continue
        if any(attribute not in one.groups for attribute in attributes):
            without += 1
            continue
        found[" × ".join(one.groups[attribute] for attribute in attributes)].append(value)
    if len(found) < 2:
        return None
    columns = {value: np.asarray(numbers, np.float64) for value, numbers in found.items()}
    large = [value for value in columns if columns[value].size >= min_n]
    gaps = {value: _gap(columns, value) for value in large} if len(large) > 1 else {}
    adjusted = dict(zip(gaps, holm([one.p for one, _ in gaps.values()]), strict=True))
    groups = []
    for group, numbers in sorted(columns.items(), key=lambda item: (-item[1].size, item[0])):
        gap, narrow = gaps.get(group, (None, None))
        groups.append(
            Group(
                attribute=name,
                value=group,
                n=int(numbers.size),
                now=mean(numbers),
                others=None if gap is None else float(numbers.mean() - gap.value),
                gap=gap and gap.value,
                low=gap and gap.low,
                high=gap and gap.high,
                p=adjusted.get(group),
                standing=_standing(gap.value if gap else None, adjusted.get(group), narrow, margin, lower_is_better),
                detectable=gap and gap.detectable,
            )
        )
    return Fairness(score=score, attribute=name, margin=margin, groups=tuple(groups), without=without)


def every_fairness(
    outputs: Sequence[ScoredOutput],
    scores: Iterable[str],
    attributes: Sequence[str] = (),
    *,
    margin: float = MARGIN,
    min_n: int = MIN_GROUP,
    lower_is_better: Iterable[str] = (),
) -> list[Fairness]:
    """Each score over each attribute and each pair of attributes; without names, over every attribute that makes groups."""
    chosen = list(attributes) or grouping(outputs)
    sets = [(name,) for name in chosen] + list(combinations(chosen, 2))
    low = set(lower_is_better)
    made = [
        fairness(outputs, score, names, margin=margin, min_n=min_n, lower_is_better=score in low)
        for score in scores
        for names in sets
    ]
    return [one for one in made if one is not None]


def grouping(outputs: Iterable[ScoredOutput]) -> list[str]:
    """The attributes with 2 to MAX_VALUES values, by name."""
    values: dict[str, set[str]] = defaultdict(set)
    for one in outputs:
        for name, value in one.groups.items():
            values[name].add(value)
    return sorted(name for name, found in values.items() if 2 <= len(found) <= MAX_VALUES)


def gap(known: Sequence[tuple[str, float]], *, min_n: int, confidence: float) -> tuple[Estimate | None, str]:
    """The largest distance of a group's mean to that of all others, and which group it is; None below two large groups.

    The bounds hold for the largest of all m groups together: each group's interval has confidence 1 - (1 - confidence)/m.
    """
    found: dict[str, list[float]] = defaultdict(list)
    for value, number in known:
        found[value].append(number)
    columns = {value: np.asarray(numbers, np.float64) for value, numbers in found.items()}
    large = [value for value in columns if columns[value].size >= min_n]
    if len(large) < 2:
        return None, ""
    # Two-sided intervals: the distance may be to either side.
    each = 1 - (1 - confidence) / len(large)
    gaps = {value: difference(columns[value], _rest(columns, value), paired=False, confidence=each) for value in large}
    worst = max(gaps, key=lambda value: abs(gaps[value].value))
    high = max(max(abs(one.low), abs(one.high)) for one in gaps.values())
    low = max(max(0.0, one.low, -one.high) for one in gaps.values())
    n = sum(columns[value].size for value in large)
    return Estimate(value=abs(gaps[worst].value), low=low, high=high, n=n, method="simultaneous intervals"), worst


def _gap(columns: dict[str, Numbers], value: str) -> tuple[Difference, tuple[float, float]]:
    rest = _rest(columns, value)
    wide = difference(columns[value], rest, paired=False)
    narrow = difference(columns[value], rest, paired=False, confidence=1 - 2 * ALPHA)
    return wide, (narrow.low, narrow.high)


def _rest(columns: dict[str, Numbers], value: str) -> Numbers:
    return np.concatenate([numbers for other, numbers in columns.items() if other != value])


def _standing(
    gap: float | None,
    p: float | None,
    narrow: tuple[float, float] | None,
    margin: float,
    lower_is_better: bool,
) -> Standing:
    if gap is None or p is None or narrow is None:
        return "too few"
    if equivalence(*narrow, margin):
        return "equal"
    if p <= ALPHA:
        return "worse" if (gap < 0) != lower_is_better else "better"
    return "undecided"
