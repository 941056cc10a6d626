"""The team's own scale: what people called the reports that the rubric put at each of its levels.

An ordinal calibration of the rubric on past labels. Where these show that a level of the rubric is surely not what people
call such reports, the second opinion chooses instead of it, at most one level away. The result never falls when the
rubric's level rises, and an evidenced crash, loss of data, security or money
matter is never lowered.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from qa_agents.checkpoint.rates import wilson
from qa_agents.triage.severity.factors import UNKNOWN, Factor, level_of_factors
from qa_agents.triage.severity.rubric import Rubric

MIN_LABELS = 50
"""With fewer labelled reports at a level of the rubric, that level stands as it is."""
USUAL = 0.5
"""A level stands where people may have given it to at least so many of the reports that the rubric put there."""
PROTECTED = frozenset({"security", "privacy", "data loss", "money", "outage", "crash"})
"""Impacts that the team's habit never lowers, besides all that the rubric ties to a signal or a floor."""


class Scale(NamedTuple):
    """Per level of the rubric, how many of its newest reports people gave each level; most severe first in both."""

    counts: tuple[tuple[int, ...], ...] = ()

    def binding(self, level: int) -> bool:
        """Whether people may mostly mean `level` (from 1) too where the rubric says so; true where few labels tell."""
        row = self._row(level)
        if sum(row) < MIN_LABELS:
            return True
        return wilson(row[level - 1], sum(row)).high >= USUAL

    def told(self, level: int, names: Sequence[str]) -> str:
        """The row in words; `names` are the team's words by level, of which several may be one."""
        row = self._row(level)
        shares: dict[str, int] = {}
        for name, n in zip(names, row, strict=True):
            shares[name] = shares.get(name, 0) + n
        said = ", ".join(f"{name} in {n}" for name, n in shares.items() if n)
        return f"of {sum(row)} past reports with such factors people called {said}"

    def _row(self, level: int) -> tuple[int, ...]:
        return self.counts[level - 1] if level <= len(self.counts) else ()


UNSCALED = Scale()
"""Binds every level."""


def fit_scale(rated: Iterable[tuple[int, int]], levels: int) -> Scale:
    """Count (level of the rubric, level people gave), both from 1; give the newest reports only."""
    counts = [[0] * levels for _ in range(levels)]
    for rubric_level, given in rated:
        counts[rubric_level - 1][given - 1] += 1
    return Scale(tuple(map(tuple, counts)))


def rubric_level(stated: Iterable[str], rubric: Rubric) -> int | None:
    """The rubric's level from `factor=value` pairs; None when no impact is among them."""
    factors = {name: Factor(name=name) for name in ("impact", *rubric.factors)}
    for pair in stated:
        name, _, value = pair.partition("=")
        if name in factors:
            factors[name] = Factor(name=name, value=value)
    return None if factors["impact"].value == UNKNOWN else level_of_factors(factors, rubric)[0]


def scaled(level: int, opinion: int, factors: Mapping[str, Factor], rubric: Rubric) -> int:
    """What the second opinion makes of a level that does not bind: at most one level away, never lower where protected."""
    moved = min(max(opinion, level - 1), level + 1)
    return min(moved, level) if protected(factors, rubric) else moved


def protected(factors: Mapping[str, Factor], rubric: Rubric) -> bool:
    """Whether the evidenced impact is one that habit never lowers."""
    impact = next((rule for rule in rubric.impact if rule.name == factors["impact"].value), None)
    return impact is not None and (impact.name in PROTECTED or impact.signal is not None or impact.floor is not None)
