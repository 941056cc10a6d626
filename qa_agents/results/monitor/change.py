"""By how much two samples differ: an interval, a test, and the change that would have been seen."""

from math import inf, sqrt
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from qa_agents.checkpoint.rates import wilson
from qa_agents.results.bounds import told

Numbers = NDArray[np.float64]
ALPHA = 0.05
POWER = 0.8


class Difference(BaseModel):
    """now - before, with a two-sided interval; of the same unit as the values."""

    model_config = ConfigDict(frozen=True)

    value: float
    low: float
    high: float
    p: float
    """Two-sided, of "no difference"."""
    test: str
    paired: bool
    detectable: float | None
    """The change that so much data shows with a probability of 80 % at a level of 5 %; None when it cannot be said."""

    def __str__(self) -> str:
        value, low, high = (f"{'+' if one >= 0 else ''}{told(one)}" for one in (self.value, self.low, self.high))
        return f"{value} ({low} to {high})"


def is_yes_no(*samples: Numbers) -> bool:
    """Whether every value is 0 or 1."""
    return all(bool(np.isin(sample, (0.0, 1.0)).all()) for sample in samples)


def difference(now: Numbers, before: Numbers, *, paired: bool, confidence: float = 1 - ALPHA) -> Difference:
    """How far the means lie apart. Paired: both samples are of the same cases, in the same order.

    Yes/no values: Newcombe's score intervals, Fisher's or McNemar's exact test. Others: Welch's or the paired t test.
    Raises ValueError for empty samples.
    """
    if not now.size or not before.size:
        raise ValueError("nothing to compare")
    if is_yes_no(now, before):
        return _rates_paired(now, before, confidence) if paired else _rates(now, before, confidence)
    return _means_paired(now, before, confidence) if paired else _means(now, before, confidence)


def newcombe(
    events: int, n: int, other_events: int, other_n: int, confidence: float = 1 - ALPHA
) -> tuple[float, float]:
    """Interval of events/n - other_events/other_n for independent samples.

    Newcombe: Interval estimation for the difference between independent proportions (Statistics in Medicine 17, 1998),
    method 10, from two score intervals. Raises ValueError for rates that are none.
    """
    one, other = wilson(events, n, confidence), wilson(other_events, other_n, confidence)
    rate, other_rate = one.value or 0.0, other.value or 0.0
    gap = rate - other_rate
    below = sqrt((rate - one.low) ** 2 + (other.high - other_rate) ** 2)
    above = sqrt((one.high - rate) ** 2 + (other_rate - other.low) ** 2)
    return max(-1.0, gap - below), min(1.0, gap + above)


def newcombe_paired(
    both: int, first: int, second: int, neither: int, confidence: float = 1 - ALPHA
) -> tuple[float, float]:
    """Interval of (both + first)/n - (both + second)/n on the same n cases.

    Newcombe: Improved confidence intervals for the difference between binomial proportions based on paired data (Statistics
    in Medicine 17, 1998), method 10.
    """
    n = both + first + second + neither
    one, other = wilson(both + first, n, confidence), wilson(both + second, n, confidence)
    rate, other_rate = one.value or 0.0, other.value or 0.0
    raw = both * neither - first * second
    cross = max(raw - n / 2, 0.0) if raw > 0 else float(raw)
    scale = (both + first) * (second + neither) * (both + second) * (first + neither)
    phi = cross / sqrt(scale) if scale else 0.0
    down, up = (rate - one.low, other.high - other_rate), (one.high - rate, other_rate - other.low)
    below = sqrt(max(0.0, down[0] ** 2 - 2 * phi * down[0] * down[1] + down[1] ** 2))
    above = sqrt(max(0.0, up[0] ** 2 - 2 * phi * up[0] * up[1] + up[1] ** 2))
    return max(-1.0, rate - other_rate - below), min(1.0, rate - other_rate + above)


def mcnemar_exact(only_first: int, only_second: int) -> float:
    """Two-sided p of "both are right equally often", from the cases where just one is; McNemar 1947, exact binomial."""
    n, term, tail = only_first + only_second, 1, 1
    for i in range(1, min(only_first, only_second) + 1):
        term = term * (n - i + 1) // i
        tail += term
    return min(1.0, float(2 * tail / 2**n))


def detectable(variance: float, *, alpha: float = ALPHA, power: float = POWER) -> float:
    """The difference of means that is seen with `power` at level `alpha` (two-sided), for its estimate's variance.

    (z(1 - α/2) + z(power)) · √variance, as in Miller: Adding Error Bars to Evals (arXiv 2411.00640).
    """
    normal = NormalDist()
    return (normal.inv_cdf(1 - alpha / 2) + normal.inv_cdf(power)) * sqrt(variance)


def equivalence(low: float, high: float, margin: float) -> bool:
    """Whether a difference is shown to be smaller than `margin` either way: the two one-sided tests procedure.

    (low, high) is the interval with confidence 1 - 2α for tests at level α, 90 % for 5 %. Schuirmann: A comparison of the
    two one-sided tests procedure and the power approach (Journal of Pharmacokinetics and Biopharmaceutics 15, 1987).
    """
    return -margin < low and high < margin


def _rates(now: Numbers, before: Numbers, confidence: float) -> Difference:
    from scipy.stats import fisher_exact

    k, n, other_k, other_n = int(now.sum()), now.size, int(before.sum()), before.size
    low, high = newcombe(k, n, other_k, other_n, confidence)
    p = float(fisher_exact([[k, n - k], [other_k, other_n - other_k]]).pvalue)
    pooled = (k + other_k + 1) / (n + other_n + 2)
    seen = detectable(pooled * (1 - pooled) * (1 / n + 1 / other_n))
    value = k / n - other_k / other_n
    return Difference(value=value, low=low, high=high, p=p, test="Fisher", paired=False, detectable=min(1.0, seen))


def _rates_paired(now: Numbers, before: Numbers, confidence: float) -> Difference:
    both, neither = int(((now == 1) & (before == 1)).sum()), int(((now == 0) & (before == 0)).sum())
    first, second = int(((now == 1) & (before == 0)).sum()), int(((now == 0) & (before == 1)).sum())
    low, high = newcombe_paired(both, first, second, neither, confidence)
    n = now.size
    discordant = (first + second + 1) / (n + 2)
    seen = min(1.0, detectable(discordant / n))
    value = (first - second) / n
    p = mcnemar_exact(first, second)
    return Difference(value=value, low=low, high=high, p=p, test="McNemar", paired=True, detectable=seen)


def _means(now: Numbers, before: Numbers, confidence: float) -> Difference:
    errors = [_error(sample) for sample in (now, before)]
    variance = errors[0] + errors[1]
    degrees = 1.0
    if 0 < variance < inf:
        parts = [(v / variance) ** 2 / (s.size - 1) for v, s in zip(errors, (now, before), strict=True) if s.size > 1]
        degrees = 1 / sum(parts)
    return _by_t(float(now.mean() - before.mean()), variance, degrees, confidence, "Welch", paired=False)


def _means_paired(now: Numbers, before: Numbers, confidence: float) -> Difference:
    gaps = now - before
    variance = _error(gaps)
    return _by_t(float(gaps.mean()), variance, max(1.0, gaps.size - 1.0), confidence, "paired t", paired=True)


def _error(sample: Numbers) -> float:
    """The variance of the sample's mean; infinite below two values, and for values too large to be squared."""
    with np.errstate(over="ignore"):
        return float(sample.var(ddof=1)) / sample.size if sample.size > 1 else inf


def _by_t(value: float, variance: float, degrees: float, confidence: float, test: str, *, paired: bool) -> Difference:
    from scipy.stats import t

    if variance == 0.0:
        # Nothing varies: the difference is what it is, and there is no error to measure it by.
        return Difference(
            value=value, low=value, high=value, p=1.0 if value == 0 else 0.0, test=test, paired=paired, detectable=None
        )
    if variance == inf:
        limit = 1e300
        return Difference(value=value, low=-limit, high=limit, p=1.0, test=test, paired=paired, detectable=None)
    error = sqrt(variance)
    half = float(t.ppf(0.5 + confidence / 2, degrees)) * error
    p = float(2 * t.sf(abs(value) / error, degrees))
    return Difference(
        value=value, low=value - half, high=value + half, p=p, test=test, paired=paired, detectable=detectable(variance)
    )
