"""From the answers of all contenders on the same cases to lines: the value with its interval, and the paired comparison."""

from collections.abc import Callable, Mapping, Sequence
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evals.scorers.ranking import average_precision
from evals.stats import Interval, mcnemar_exact, minimum_detectable_change, paired_mean, wilson
from evals.suites.triage.result import SYSTEM, Line

Floats = NDArray[np.float64]
ROUNDS = 1_000


def rates(group: str, measure: str, answers: Mapping[str, Sequence[bool]]) -> list[Line]:
    """Share of cases that are right: Wilson; compared by the paired bootstrap, tested by McNemar's exact test."""
    lines = means(group, measure, answers, interval=lambda hits: wilson(int(np.sum(hits)), len(hits)))
    ours = answers.get(SYSTEM, ())
    for line in lines:
        if line.p is not None:
            pairs = list(zip(ours, answers[line.who], strict=True))
            line.p = mcnemar_exact(sum(a and not b for a, b in pairs), sum(b and not a for a, b in pairs))
    return lines


def means(
    group: str,
    measure: str,
    answers: Mapping[str, Sequence[float] | Sequence[bool]],
    interval: Callable[[Sequence[Any]], Interval] | None = None,
) -> list[Line]:
    """Mean score of the cases; without `interval`, by the bootstrap of one sample."""
    lines = []
    ours = answers.get(SYSTEM)
    for who, values in answers.items():
        if not len(values):
            continue
        value = interval(values) if interval else paired_mean(values, np.zeros(len(values)))[0]
        line = Line(group=group, measure=measure, who=who, value=value)
        if who != SYSTEM and ours is not None:
            line.difference, line.p = paired_mean(ours, values)
            line.detectable = minimum_detectable_change(np.asarray(ours, float) - np.asarray(values, float))
        lines.append(line)
    return lines


def macro_f1s(
    group: str, measure: str, predicted: Mapping[str, Sequence[str | None]], true: Sequence[str]
) -> list[Line]:
    """Macro-F1 with intervals and paired comparison from resampled tables of (true, ours, theirs)."""
    if not true:
        return []
    lines = []
    ours = predicted.get(SYSTEM)
    for who, theirs in predicted.items():
        drawn, value = _resampled_f1([theirs], true)
        line = Line(group=group, measure=measure, who=who, value=_interval(value[0], drawn[0], len(true)))
        if who != SYSTEM and ours is not None:
            both, values = _resampled_f1([ours, theirs], true)
            line.difference = _interval(values[0] - values[1], both[0] - both[1], len(true))
            line.p = _p(both[0] - both[1])
            # From the bootstrap's own spread, because macro-F1 is no mean over cases.
            line.detectable = float(2.80 * np.std(both[0] - both[1]))
        lines.append(line)
    return lines


def average_precisions(
    group: str, measure: str, scores: Mapping[str, Sequence[float]], wanted: Sequence[bool]
) -> list[Line]:
    """Average precision of an alarm, with intervals and paired comparison by resampled cases."""
    relevant = np.asarray(wanted, bool)
    if not relevant.any():
        return []
    weights = np.random.default_rng(0).multinomial(
        relevant.size, np.full(relevant.size, 1 / relevant.size), ROUNDS // 2
    )
    drawn = {who: _weighted_ap(np.asarray(values, float), relevant, weights) for who, values in scores.items()}
    values = {who: average_precision(found, relevant) for who, found in scores.items()}
    lines = []
    for who, found in drawn.items():
        line = Line(group=group, measure=measure, who=who, value=_interval(values[who], found, relevant.size))
        if who != SYSTEM and SYSTEM in drawn:
            apart = drawn[SYSTEM] - found
            line.difference, line.p = _interval(values[SYSTEM] - values[who], apart, relevant.size), _p(apart)
            line.detectable = float(2.80 * np.std(apart))
        lines.append(line)
    return lines


def resampled(
    group: str, measure: str, who: str, statistic: Callable[[Floats, Floats], float], first: Sequence[float],
    second: Sequence[float], *, lower_is_better: bool = False, rounds: int = 400,
) -> Line | None:  # fmt: skip
    """Any statistic of two values per case, with its percentile bootstrap interval; None without cases."""
    left, right = np.asarray(first, np.float64), np.asarray(second, np.float64)
    if not left.size:
        return None
    rng = np.random.default_rng(0)
    drawn = np.empty(rounds)
    for n in range(rounds):
        rows = rng.integers(0, left.size, left.size)
        drawn[n] = statistic(left[rows], right[rows])
    value = _interval(statistic(left, right), drawn, left.size)
    return Line(group=group, measure=measure, who=who, value=value, lower_is_better=lower_is_better)


def _resampled_f1(predictions: Sequence[Sequence[str | None]], true: Sequence[str]) -> tuple[list[Floats], list[float]]:
    """For each contender: macro-F1 of ROUNDS resamples, and of the cases themselves."""
    names = sorted(set(true))
    place = {name: n for n, name in enumerate(names)}
    cells: dict[tuple[int, ...], int] = {}
    for case in zip(true, *predictions, strict=True):
        key = tuple(place.get(name, -1) if name is not None else -1 for name in case)
        cells[key] = cells.get(key, 0) + 1
    keys, counts = np.array(list(cells)), np.array(list(cells.values()))
    drawn = np.random.default_rng(0).multinomial(counts.sum(), counts / counts.sum(), ROUNDS)
    table = np.vstack([counts, drawn]).astype(np.float64)
    there = _sums(table, keys[:, 0], len(names))
    found = []
    for column in range(1, keys.shape[1]):
        hit = np.where(keys[:, 0] == keys[:, column], keys[:, 0], -1)
        hits, named = _sums(table, hit, len(names)), _sums(table, keys[:, column], len(names))
        with np.errstate(invalid="ignore", divide="ignore"):
            f1 = np.where(there > 0, 2 * hits / (there + named), np.nan)
        found.append(np.nanmean(f1, axis=1))
    return [values[1:] for values in found], [float(values[0]) for values in found]


def _sums(table: Floats, groups: NDArray[np.int64], size: int) -> Floats:
    """Columns of `table` added up by group; group -1 is nobody's."""
    which = np.zeros((groups.size, size))
    which[np.flatnonzero(groups >= 0), groups[groups >= 0]] = 1.0
    sums: Floats = table @ which
    return sums


def _weighted_ap(scores: Floats, relevant: NDArray[np.bool_], weights: NDArray[np.int64]) -> Floats:
    order = np.argsort(-scores, kind="stable")
    starts = np.flatnonzero(np.r_[True, np.diff(scores[order]) != 0])
    rows = weights[:, order].astype(np.float64)
    every = np.cumsum(np.add.reduceat(rows, starts, axis=1), axis=1)
    gained = np.add.reduceat(rows * relevant[order], starts, axis=1)
    hits = np.cumsum(gained, axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        parts = np.where(every > 0, gained * hits / every, 0.0)
        found: Floats = np.nan_to_num(parts.sum(axis=1) / hits[:, -1])
    return found


def _interval(value: float, drawn: Floats, n: int) -> Interval:
    low, high = np.percentile(drawn, [2.5, 97.5])
    return Interval(value=value, low=float(low), high=float(high), n=n)


def _p(apart: Floats) -> float:
    """Two-sided p of "no difference", from the bootstrap's spread taken as normal: its shares end at 1 / rounds."""
    centre, width = float(np.mean(apart)), float(np.std(apart))
    if width == 0.0:
        return 1.0 if centre == 0.0 else 0.0
    return 2 * (1 - NormalDist().cdf(abs(centre) / width))
