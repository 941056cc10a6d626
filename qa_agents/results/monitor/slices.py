"""Where does it go wrong more often than elsewhere, and where did it get worse? Groups of inputs, single and in pairs."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import combinations

import numpy as np
from pydantic import BaseModel, ConfigDict

from qa_agents.results.gate_metrics import MIN_GROUP, score_of
from qa_agents.results.monitor.change import ALPHA, Difference, Numbers, difference
from qa_agents.results.monitor.fairness import grouping
from qa_agents.results.multiplicity import benjamini_yekutieli
from qa_agents.results.schema import ScoredOutput

MAX_SLICES = 2_000
EXPECTED = "expected"
"""The class that should have been answered is an attribute like any other."""


class Slice(BaseModel):
    """A part of the inputs in which a score is worse than in the rest."""

    model_config = ConfigDict(frozen=True)

    score: str
    where: dict[str, str]
    n: int
    mean: float
    rest: float
    gap: Difference
    """The slice minus the rest; its p is not adjusted."""
    p: float
    """Adjusted over all slices and scores that were looked at (Benjamini and Yekutieli)."""
    excess: float
    """How much score the slice loses by not being like the rest: for yes/no scores, so many more failures."""
    since: Difference | None = None
    """The slice now minus the slice before; None without a baseline, or where the baseline has too few."""

    @property
    def name(self) -> str:
        """For example `language de, tier free`."""
        return ", ".join(f"{attribute} {value}" for attribute, value in self.where.items())


class Sliced(BaseModel):
    """What was looked at and what was found."""

    model_config = ConfigDict(frozen=True)

    tested: int
    """Slices times scores."""
    too_small: int
    """Slices with fewer than `min_n` outputs: not looked at."""
    found: tuple[Slice, ...]
    """The most excess first."""
    worse: tuple[Slice, ...] = ()
    """Slices that lost against the baseline (adjusted over all of them), whether or not they are worse than the rest."""
    left_out: int = 0
    """More pairs of attributes than are looked at."""


def find_slices(
    now: Sequence[ScoredOutput],
    before: Sequence[ScoredOutput],
    scores: Iterable[str],
    *,
    min_n: int = MIN_GROUP,
    lower_is_better: Iterable[str] = (),
) -> Sliced:
    """Slices that are worse than the rest, or than before, with the false discovery rate at most 5 % over all looked at.

    A pair of attributes is told only if it is worse than what is left of each of its parts: otherwise the part says it all.
    """
    low, columns = set(lower_is_better), _Columns(now)
    past = _Columns(before)
    masks, too_small, left_out = _masks(columns, min_n)
    tested: list[tuple[str, dict[str, str], Numbers, Numbers, Difference]] = []
    since: list[tuple[str, dict[str, str], Numbers, Numbers, Difference]] = []
    for score in scores:
        sign = -1.0 if score in low else 1.0
        values, old = columns.score(score) * sign, past.score(score) * sign
        scored = ~np.isnan(values)
        for where, mask in masks:
            inside, outside = values[mask & scored], values[~mask & scored]
            if inside.size >= min_n and outside.size >= min_n:
                tested.append((score, where, inside, outside, _gap(inside, outside, sign)))
            earlier = old[past.mask(where) & ~np.isnan(old)]
            if inside.size >= min_n and earlier.size >= min_n:
                since.append((score, where, inside, outside, _gap(inside, earlier, sign)))
    changes = {_key(one[0], one[1]): one[4] for one in since}
    found = [
        _slice(one, p, one[0] in low, one[4], changes.get(_key(one[0], one[1])))
        for one, p in zip(tested, benjamini_yekutieli([one[4].p for one in tested]), strict=True)
    ]
    lost = [
        _slice(one, p, one[0] in low, one[4], one[4])
        for one, p in zip(since, benjamini_yekutieli([one[4].p for one in since]), strict=True)
    ]
    return Sliced(
        tested=len(tested),
        too_small=too_small,
        found=tuple(_unexplained([one for one in found if _is_worse(one.gap, one.p, one.score in low)], columns, low)),
        worse=tuple(sorted((one for one in lost if _is_worse(one.gap, one.p, one.score in low)), key=_by_p)),
        left_out=left_out,
    )


class _Columns:
    """Outputs as arrays."""

    def __init__(self, outputs: Sequence[ScoredOutput]) -> None:
        self._outputs = outputs
        names = sorted({name for one in outputs for name in one.groups})
        values = {name: [one.groups.get(name) for one in outputs] for name in names}
        if len({one.expected for one in outputs}) > 1:
            values[EXPECTED] = [one.expected for one in outputs]
        self.values = {name: np.array(column, dtype=object) for name, column in values.items()}
        kept = {*grouping(outputs)}
        if EXPECTED in values and len(set(values[EXPECTED])) <= MAX_SLICES // 10:
            kept.add(EXPECTED)
        self.attributes = sorted(kept)

    def score(self, name: str) -> Numbers:
        found = [score_of(one, name) for one in self._outputs]
        return np.array([np.nan if value is None else value for value in found], np.float64)

    def mask(self, where: dict[str, str]) -> np.ndarray:
        mask = np.ones(len(self._outputs), bool)
        for name, value in where.items():
            mask &= self.values[name] == value if name in self.values else np.zeros(len(self._outputs), bool)
        return mask


def _masks(columns: _Columns, min_n: int) -> tuple[list[tuple[dict[str, str], np.ndarray]], int, int]:
    """Every single value and every pair of values that enough outputs have; how many had too few, and how many too many."""
    kept: list[tuple[dict[str, str], np.ndarray]] = []
    small = seen = 0
    for where in _candidates(columns):
        seen += 1
        if seen > MAX_SLICES:
            continue
        mask = columns.mask(where)
        if not mask.any():
            continue
        if mask.sum() >= min_n:
            kept.append((where, mask))
        else:
            small += 1
    return kept, small, max(0, seen - MAX_SLICES)


def _candidates(columns: _Columns) -> Iterator[dict[str, str]]:
    distinct = {
        name: sorted({value for value in columns.values[name] if value is not None}) for name in columns.attributes
    }
    for name, values in distinct.items():
        for value in values:
            yield {name: value}
    for one, other in combinations(distinct, 2):
        for value in distinct[one]:
            for second in distinct[other]:
                yield {one: value, other: second}


def _gap(inside: Numbers, outside: Numbers, sign: float) -> Difference:
    """The difference in the score's own direction, though it was turned round to be compared."""
    return difference(inside * sign, outside * sign, paired=False)


def _slice(
    one: tuple[str, dict[str, str], Numbers, Numbers, Difference],
    p: float,
    turned: bool,
    gap: Difference,
    since: Difference | None,
) -> Slice:
    score, where, inside, outside, _ = one
    sign = -1.0 if turned else 1.0
    rest = float(outside.mean()) if outside.size else float("nan")
    return Slice(
        score=score,
        where=where,
        n=int(inside.size),
        mean=float(inside.mean() * sign),
        rest=0.0 if np.isnan(rest) else rest * sign,
        gap=gap,
        p=p,
        excess=abs(gap.value) * inside.size,
        since=since,
    )


def _is_worse(gap: Difference, p: float, turned: bool) -> bool:
    return p <= ALPHA and (gap.value > 0 if turned else gap.value < 0)


def _unexplained(found: list[Slice], columns: _Columns, low: set[str]) -> list[Slice]:
    kept = [
        one
        for one in found
        if len(one.where) == 1 or all(_adds(one, name, value, columns, low) for name, value in one.where.items())
    ]
    return sorted(kept, key=lambda kept_: (-kept_.excess, kept_.name))


def _adds(one: Slice, name: str, value: str, columns: _Columns, low: set[str]) -> bool:
    """Whether a pair is worse than what is left of one of its parts, by a 95 % interval."""
    values = columns.score(one.score)
    inside = columns.mask(one.where)
    left = columns.mask({name: value}) & ~inside & ~np.isnan(values)
    if not left.any():
        return False
    gap = difference(values[inside & ~np.isnan(values)], values[left], paired=False)
    return gap.low > 0 if one.score in low else gap.high < 0


def _key(score: str, where: dict[str, str]) -> tuple[str, ...]:
    return score, *(f"{name}={value}" for name, value in where.items())


def _by_p(one: Slice) -> tuple[float, str]:
    return one.p, one.name
