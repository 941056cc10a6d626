"""Intervals and tests, each a few lines over numpy; every printed number has its n and its uncertainty from here."""

from collections.abc import Callable, Sequence
from math import sqrt
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import BaseModel

from qa_agents.results.monitor.change import mcnemar_exact as mcnemar_exact
from qa_agents.results.multiplicity import holm as holm

Numbers = NDArray[np.float64]
Statistic = Callable[[Numbers], Numbers]
"""Rows of samples to one value per row."""


class Interval(BaseModel):
    """An estimate with its confidence interval."""

    value: float
    low: float
    high: float
    n: int

    def __str__(self) -> str:
        return f"{self.value:.3f} ({self.low:.3f}–{self.high:.3f})"


class Spread(BaseModel):
    """How a measured quantity varied over n repetitions; the unit is the caller's."""

    n: int
    median: float
    p95: float
    low: float
    high: float
    mean: float


def wilson(successes: int, n: int, confidence: float = 0.95) -> Interval:
    """Score interval of a rate.

    Wilson: Probable inference, the law of succession, and statistical inference (JASA 22, 1927). Raises ValueError
    for a rate outside 0 to 1. No observations give 0 to 1.
    """
    if not 0 <= successes <= n:
        raise ValueError(f"{successes} of {n} is not a rate")
    if n == 0:
        return Interval(value=0.0, low=0.0, high=1.0, n=0)
    z = NormalDist().inv_cdf(0.5 + confidence / 2)
    rate, denominator = successes / n, 1 + z * z / n
    centre = (rate + z * z / (2 * n)) / denominator
    half = z * sqrt(rate * (1 - rate) / n + z * z / (4 * n * n)) / denominator
    # The exact limits at the ends; floating point misses them by 1e-17.
    low = 0.0 if successes == 0 else centre - half
    high = 1.0 if successes == n else centre + half
    return Interval(value=rate, low=low, high=high, n=n)


def spread(values: ArrayLike) -> Spread:
    """n, median, 95th percentile, minimum, maximum and mean.

    Percentiles by linear interpolation: Hyndman and Fan: Sample Quantiles in Statistical Packages (1996), type 7.
    Raises ValueError when nothing was measured.
    """
    found = np.asarray(values, np.float64)
    if not found.size:
        raise ValueError("nothing was measured")
    median, p95 = np.percentile(found, [50, 95])
    return Spread(
        n=found.size,
        median=float(median),
        p95=float(p95),
        low=float(found.min()),
        high=float(found.max()),
        mean=float(found.mean()),
    )


def mean_of(rows: Numbers) -> Numbers:
    """The default statistic of the bootstraps."""
    means: Numbers = rows.mean(axis=-1)
    return means


def median_of(rows: Numbers) -> Numbers:
    """The median of each row."""
    medians: Numbers = np.median(rows, axis=-1)
    return medians


def bootstrap(values: ArrayLike, *, statistic: Statistic = mean_of, rounds: int = 10_000, seed: int = 0) -> Interval:
    """Percentile bootstrap of one sample, 95 %.

    Efron and Tibshirani: An Introduction to the Bootstrap (1993), chapter 13. Raises ValueError without observations.
    """
    sample = np.asarray(values, np.float64)
    drawn = statistic(sample[_resamples(sample.size, rounds, seed)])
    return _interval(float(statistic(sample)), drawn, sample.size)


def paired_bootstrap(
    ours: ArrayLike, theirs: ArrayLike, *, statistic: Statistic = mean_of, rounds: int = 10_000, seed: int = 0
) -> Interval:
    """statistic(ours) - statistic(theirs) on the same cases, 95 %: cases are drawn, both values of a case together.

    Efron and Tibshirani 1993, chapter 13; paired as in Miller: Adding Error Bars to Evals (arXiv 2411.00640). Raises
    ValueError when the samples are not of one length.
    """
    first, second, rows = _paired(ours, theirs, rounds, seed)
    drawn = statistic(first[rows]) - statistic(second[rows])
    return _interval(float(statistic(first) - statistic(second)), drawn, first.size)


def paired_ratio(
    ours: ArrayLike, theirs: ArrayLike, *, statistic: Statistic = median_of, rounds: int = 2_000, seed: int = 0
) -> Interval:
    """statistic(ours) / statistic(theirs) on the same cases, 95 %: as paired_bootstrap, with `theirs` positive."""
    first, second, rows = _paired(ours, theirs, rounds, seed)
    drawn = statistic(first[rows]) / statistic(second[rows])
    return _interval(float(statistic(first) / statistic(second)), drawn, first.size)


def growth(sizes: Sequence[float], costs: Sequence[float]) -> float:
    """The exponent of cost ~ size^x, by least squares in the logarithms: 1 is linear, less grows less than the size."""
    slope, _ = np.polyfit(np.log(sizes), np.log(costs), 1)
    return float(slope)


def _paired(ours: ArrayLike, theirs: ArrayLike, rounds: int, seed: int) -> tuple[Numbers, Numbers, NDArray[np.intp]]:
    first, second = np.asarray(ours, np.float64), np.asarray(theirs, np.float64)
    if first.shape != second.shape or first.ndim != 1:
        raise ValueError(f"not the same cases: {first.shape} and {second.shape}")
    return first, second, _resamples(first.size, rounds, seed)


def _resamples(n: int, rounds: int, seed: int) -> NDArray[np.intp]:
    if n == 0:
        raise ValueError("nothing was measured")
    rows: NDArray[np.intp] = np.random.default_rng(seed).integers(0, n, (rounds, n), dtype=np.intp)
    return rows


def _interval(value: float, drawn: Numbers, n: int) -> Interval:
    low, high = np.percentile(drawn, [2.5, 97.5])
    return Interval(value=value, low=float(low), high=float(high), n=n)


def paired_mean(ours: ArrayLike, theirs: ArrayLike, *, rounds: int = 10_000, seed: int = 0) -> tuple[Interval, float]:
    """mean(ours - theirs) with its 95 % paired bootstrap interval, and the two-sided bootstrap p of "no difference".

    Equal in distribution to drawing cases, but draws how often each distinct difference occurs, so that thousands of
    cases cost little. p is twice the smaller share of draws on one side of zero (ties on both), at least 2 / (rounds
    + 1). Raises ValueError when the samples are not of one length, or empty.
    """
    first, second = np.asarray(ours, np.float64), np.asarray(theirs, np.float64)
    if first.shape != second.shape or first.ndim != 1 or not first.size:
        raise ValueError(f"not the same cases: {first.shape} and {second.shape}")
    values, counts = np.unique(first - second, return_counts=True)
    rng = np.random.default_rng(seed)
    drawn = np.concatenate(
        [
            rng.multinomial(first.size, counts / first.size, size=size) @ values / first.size
            for size in _chunks(rounds, values.size)
        ]
    )
    side = min(np.count_nonzero(drawn <= 0), np.count_nonzero(drawn >= 0))
    return _interval(float((first - second).mean()), drawn, first.size), min(1.0, 2 * (side + 1) / (rounds + 1))


def minimum_detectable_change(differences: ArrayLike, *, alpha: float = 0.05, power: float = 0.8) -> float:
    """The mean paired difference that so many cases of such variance show with `power` at level `alpha` (two-sided).

    (z(1 - α/2) + z(power)) · s / √n, as in Miller: Adding Error Bars to Evals (arXiv 2411.00640). Infinite below two
    cases.
    """
    found = np.asarray(differences, np.float64)
    if found.size < 2:
        return float("inf")
    normal = NormalDist()
    return float((normal.inv_cdf(1 - alpha / 2) + normal.inv_cdf(power)) * found.std(ddof=1) / sqrt(found.size))


def detectable_drop(n: int, discordant: float, *, alpha: float = 0.05, power: float = 0.8) -> float:
    """The share of n pass/fail cases that must break for good to be seen with `power` at level `alpha` (two-sided).

    `discordant` is the share of cases that differ between two runs of the same system; what breaks adds to the variance
    itself, so d solves n·d² = c²·(discordant + d - d²) with c = z(1 - α/2) + z(power). 0 to 1; 1 without cases.
    """
    if n <= 0:
        return 1.0
    normal = NormalDist()
    c2 = (normal.inv_cdf(1 - alpha / 2) + normal.inv_cdf(power)) ** 2
    return min(1.0, (c2 + sqrt(c2 * c2 + 4 * (n + c2) * c2 * discordant)) / (2 * (n + c2)))


def alarm_rate(
    alarm: Callable[[Numbers, Numbers], bool],
    before: ArrayLike,
    *,
    drop: float = 0.0,
    flip: float = 0.1,
    rounds: int = 1_000,
    seed: int = 0,
) -> float:
    """How often `alarm(baseline, now)` fires over simulated runs on the pass/fail cases `before`.

    Each round, `flip` of the passes fail and as many fails pass, by chance and with an equal mean (an A/A pair); then
    `drop` of all cases, among those that pass, are broken for good (a planted drop). 0 to 1.
    """
    baseline = np.asarray(before, np.float64)
    rng = np.random.default_rng(seed)
    passes, fails = np.flatnonzero(baseline == 1), np.flatnonzero(baseline == 0)
    fired = 0
    for _ in range(rounds):
        now = baseline.copy()
        swapped = rng.binomial(min(passes.size, fails.size), flip, size=2)
        now[rng.choice(passes, swapped[0], replace=False)] = 0.0
        now[rng.choice(fails, swapped[1], replace=False)] = 1.0
        alive = np.flatnonzero(now == 1)
        now[rng.choice(alive, min(alive.size, round(drop * baseline.size)), replace=False)] = 0.0
        fired += alarm(baseline, now)
    return fired / rounds


def _chunks(rounds: int, width: int) -> list[int]:
    """Sizes that add up to `rounds`, each so small that a chunk of rows of this width stays below 64 MB."""
    size = max(1, min(rounds, 8_000_000 // max(1, width)))
    return [min(size, rounds - start) for start in range(0, rounds, size)]
