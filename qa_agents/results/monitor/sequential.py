"""Daily looks that stay honest: evidence of change that may be looked at after every run, for as long as one likes.

A test that is repeated every day finds something sooner or later. Here each run is ranked among what it might have been:
while nothing changes, today's value of a case is as likely as any earlier one of that case to be today's, so that the
p-values of the runs are independent and uniform, and betting against that cannot pay (`checkpoint.betting`): 1 / (the highest
capital so far) is a p-value at every look. A conformal test martingale: Vovk, Nouretdinov and Gammerman: Testing
exchangeability on-line (ICML 2003), with a whole run's ranks taken together. The columns share the error by Holm: at most 5 %
of all deployments ever see a false alarm in any column.

Where the runs answer the same cases, a value is ranked among those of its own case; else among all values, and then the
spread is bet on too, sharing the error with the level. What is assumed: cases do not influence one another within a run. A
day on which everything is a little slower together is a change, and is told as one.
"""

import hashlib
from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Sequence
from math import inf, pi, sqrt
from statistics import NormalDist

import numpy as np
from pydantic import BaseModel, ConfigDict

from qa_agents.results.monitor.bets import Bettor, Ranked, reach
from qa_agents.results.monitor.change import ALPHA, Difference, Numbers, difference, is_yes_no
from qa_agents.results.multiplicity import holm

ENOUGH = 30
"""Ranks of so many values add up to a normal sum; with fewer, runs that might have been are drawn."""
DRAWS = 499
CATEGORIES = 12
"""An answer with more classes is not watched from day to day; the comparison with the baseline looks at all of them."""

Look = Sequence[tuple[str, float]]
"""One run's values of one column: (case id, value)."""


class Watched(BaseModel):
    """One column over the looks at it."""

    model_config = ConfigDict(frozen=True)

    column: str
    looks: int
    values: int
    within_cases: bool
    """Values were compared with those of their own case."""
    capital: float
    """Evidence of change now, of the level or the spread: 1 is none, 100 is strong."""
    p: float
    """By the highest capital so far, adjusted over the columns: valid at every look."""
    alarmed_at: int | None
    """The look, counted from 1, at which the alarm went off; it stays."""
    history: tuple[float, ...]
    """The capital after each look."""
    change: Difference | None
    """The newest run against the first; the interval holds at all looks together (error spent as 6 / π²t²)."""
    detectable: float | None = None
    """The lasting change of the mean, begun half way through these looks, that would have raised the alarm with a probability of
    80 %; None with fewer than four looks and where nothing varies."""


def watch(
    columns: dict[str, Sequence[Look]], within_cases: bool, *, alpha: float = ALPHA, salt: str = ""
) -> list[Watched]:
    """Follow each column from its first look, which is the reference, to its last.

    `salt` and the column's name fix the draws, so that the same runs always give the same answer. Columns without a value in the
    first look, or with fewer than two looks, are left out.
    """
    followed = {name: list(looks) for name, looks in columns.items() if len(looks) > 1 and looks[0]}
    traces = {name: _follow(looks, within_cases, f"{salt}/{name}") for name, looks in followed.items()}
    alarmed: dict[str, int] = {}
    adjusted: dict[str, float] = {}
    for look in range(1, max((len(trace) for trace in traces.values()), default=0) + 1):
        found = {name: min(1.0, 1 / max(trace[:look])) for name, trace in traces.items()}
        adjusted = dict(zip(found, holm(list(found.values())), strict=True))
        for name, p in adjusted.items():
            if p <= alpha:
                alarmed.setdefault(name, look)
    return [
        Watched(
            column=name,
            looks=len(trace),
            values=sum(map(len, followed[name][1:])),
            within_cases=within_cases,
            capital=trace[-1],
            p=adjusted[name],
            alarmed_at=alarmed.get(name),
            history=tuple(trace),
            change=_change(followed[name], within_cases, alpha),
            detectable=_detectable(followed[name], within_cases, len(traces), alpha),
        )
        for name, trace in traces.items()
    ]


def spent(look: int, alpha: float = ALPHA) -> float:
    """The error that the t-th look may use, 6α / π²t²: over all looks for ever it adds up to α."""
    return alpha * 6 / (pi * look) ** 2


def indicator_columns(name: str, looks: Sequence[Iterable[tuple[str, str]]]) -> dict[str, Sequence[Look]]:
    """A column of classes as one yes/no column per class of the first look; none above CATEGORIES classes or below two."""
    kept = [list(look) for look in looks]
    classes = sorted({value for _, value in kept[0]}) if kept else []
    if not 2 <= len(classes) <= CATEGORIES:
        return {}
    return {
        f"{name} {one}": [[(case, float(value == one)) for case, value in look] for look in kept] for one in classes
    }


def _follow(looks: Sequence[Look], within_cases: bool, salt: str) -> list[float]:
    """Per look but the first: the capital, halved where two things are bet on, as both may raise the alarm."""
    random = np.random.default_rng(int.from_bytes(hashlib.sha256(salt.encode()).digest()[:8]))
    ranked: _OfCases | _OfAll = _OfCases(random) if within_cases else _OfAll(random, looks[0])
    bettors = [Bettor() for _ in range(ranked.parts)]
    trace: list[float] = []
    for number, look in enumerate(looks):
        scores = ranked.take(look)
        if not number:
            continue
        for bettor, score in zip(bettors, scores, strict=True):
            if score is not None:
                bettor.take(score)
        trace.append(max(bettor.capital for bettor in bettors) / len(bettors))
    return trace


class _Bag:
    """The values of one case so far."""

    def __init__(self) -> None:
        self._values: list[float] = []
        self._ties = 0

    def take(self, value: float) -> tuple[float, float]:
        """(rank of the value among all so far, minus its expectation; variance), the ranks scaled to 0 to 1."""
        left, right = bisect_left(self._values, value), bisect_right(self._values, value)
        same = right - left
        self._values.insert(right, value)
        self._ties += 3 * same * (same + 1)
        size = len(self._values)
        rank = left + same / 2 + 1
        return (rank - (size + 1) / 2) / size, ((size**2 - 1) / 12 - self._ties / (12 * size)) / size**2

    @property
    def ranks(self) -> Numbers:
        """All ranks, scaled, minus their expectation."""
        return _ranks(np.array(self._values))


class _OfCases:
    """Ranks within cases."""

    parts = 1

    def __init__(self, random: np.random.Generator) -> None:
        self._random = random
        self._bags: dict[str, _Bag] = defaultdict(_Bag)

    def take(self, look: Look) -> tuple[float | None]:
        """The normal score of this run; None when no case could have differed."""
        found = [self._bags[case].take(value) for case, value in look]
        today, variance = sum(gap for gap, _ in found), sum(one for _, one in found)
        if variance <= 0:
            return (None,)
        varying = [case for (case, _), (_, one) in zip(look, found, strict=True) if one > 0]
        if len(varying) >= ENOUGH:
            return (-today / variance**0.5,)
        drawn = sum(self._random.choice(self._bags[case].ranks, DRAWS) for case in varying)
        return (_score(today, np.asarray(drawn), self._random),)


class _OfAll:
    """Ranks among everything: of the values, and of how far they lie from the middle."""

    def __init__(self, random: np.random.Generator, first: Look) -> None:
        self._random = random
        self._values: list[float] = []
        self.parts = 1 if is_yes_no(np.array([value for _, value in first], np.float64)) else 2

    def take(self, look: Look) -> list[float | None]:
        """The normal scores of level and spread."""
        self._values += [value for _, value in look]
        ranks = _ranks(np.array(self._values))
        return [self._scored(one - one.mean(), len(look)) for one in (ranks, ranks**2)[: self.parts]]

    def _scored(self, gaps: Numbers, n: int) -> float | None:
        total = gaps.size
        variance = float((gaps**2).mean()) * n * (total - n) / max(1, total - 1)
        if variance <= 0 or n == 0:
            return None
        today = float(gaps[-n:].sum())
        if n >= ENOUGH:
            return float(-today / variance**0.5)
        # Drawn with replacement, which varies more than drawing n of all; shrunk to how much that varies.
        drawn = self._random.choice(gaps, (DRAWS, n)).sum(axis=1) * ((total - n) / max(1, total - 1)) ** 0.5
        return _score(today, drawn, self._random)


def _score(today: float, drawn: Numbers, random: np.random.Generator) -> float:
    """The normal score of the rank of today among the days that might have been, ties by chance."""
    above, ties = int((drawn > today + 1e-9).sum()), int((np.abs(drawn - today) <= 1e-9).sum())
    p = (above + float(random.random()) * (ties + 1)) / (DRAWS + 1)
    return NormalDist().inv_cdf(min(max(p, 1e-9), 1 - 1e-9))


def _ranks(values: Numbers) -> Numbers:
    """Mid-ranks scaled to 0 to 1 minus their mean: one huge value counts as one value."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    middle: Numbers = ((np.cumsum(counts) - (counts - 1) / 2)[inverse] - (values.size + 1) / 2) / values.size
    return middle


def _detectable(looks: Sequence[Look], within_cases: bool, columns: int, alpha: float) -> float | None:
    later = len(looks) - 1
    values = [value for look in looks for _, value in look]
    n = len(values) / len(looks)
    if later < 4 or n < 1:
        return None
    with np.errstate(over="ignore", invalid="ignore"):
        spread = _spread_of_cases(looks) if within_cases else float(np.std(values))
    if not 0 < spread < inf:
        return None
    ranked: Ranked = "cases" if within_cases else "all"
    if is_yes_no(np.array([value for _, value in looks[0]], np.float64)):
        ranked = "yes/no"
    # Where the spread is bet on too, each of the two has to make twice as much.
    shared = columns * (2 if ranked == "all" else 1)
    return reach(later, later // 2 + 1, shared, alpha, ranked=ranked) * spread / sqrt(n)


def _spread_of_cases(looks: Sequence[Look]) -> float:
    """The standard deviation of a case's values about their own mean, over all cases."""
    of_case: defaultdict[str, list[float]] = defaultdict(list)
    for case, value in (one for look in looks for one in look):
        of_case[case].append(value)
    gaps = np.concatenate([np.asarray(one) - np.mean(one) for one in of_case.values()])
    return sqrt(float((gaps**2).sum()) / max(1, gaps.size - len(of_case)))


def _change(looks: Sequence[Look], within_cases: bool, alpha: float) -> Difference | None:
    first, last = dict(looks[0]), looks[-1]
    confidence = 1 - spent(len(looks) - 1, alpha)
    if within_cases:
        pairs = [(value, first[case]) for case, value in last if case in first]
        sides = [value for value, _ in pairs], [value for _, value in pairs]
    else:
        sides = [value for _, value in last], [value for _, value in looks[0]]
    if len(sides[0]) < 2 or len(sides[1]) < 2:
        return None
    now, before = (np.asarray(side, np.float64) for side in sides)
    return difference(now, before, paired=within_cases, confidence=confidence)
