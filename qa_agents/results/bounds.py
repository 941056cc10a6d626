"""What a sample says about a rate, a mean or a percentile: an estimate with a lower and an upper bound.

Each bound alone holds with the stated confidence (one-sided): a promise is held against one of them.
"""

from math import log, sqrt

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import BaseModel, ConfigDict

from qa_agents.checkpoint.rates import at_most

CONFIDENCE = 0.95
_HALVINGS = 40
_CAUTION = 0.9
"""No bet risks more than this share of the capital."""

Numbers = NDArray[np.float64]


class Estimate(BaseModel):
    """A measured value with its bounds; None where the sample says nothing (too few values for that percentile, say)."""

    model_config = ConfigDict(frozen=True)

    value: float | None
    low: float | None
    high: float | None
    n: int
    method: str

    def __str__(self) -> str:
        """For example `0.953 (0.931–0.969)`; an end that the data do not bound is `…`."""
        if self.value is None:
            return "not measured"
        if self.low == self.value == self.high:
            return told(self.value)
        ends = "–".join("…" if end is None else told(end) for end in (self.low, self.high))
        return f"{told(self.value)} ({ends})"


def told(value: float) -> str:
    """A number as people read it: 2,040, 12.4, 0.862."""
    return f"{value:,.0f}" if abs(value) >= 100 or value == int(value) else f"{value:.3g}"


def counted(value: float, n: int, what: str = "counted") -> Estimate:
    """A value that is known, not estimated; `n` says of how many things."""
    return Estimate(value=value, low=value, high=value, n=n, method=what)


def share(events: int, n: int, confidence: float = CONFIDENCE) -> Estimate:
    """A rate with exact bounds, which hold at any n. Clopper and Pearson (Biometrika 26, 1934), one-sided.

    Raises ValueError unless 0 <= events <= n.
    """
    high, low = at_most(events, n, confidence), 1 - at_most(n - events, n, confidence)
    return Estimate(value=events / n if n else None, low=low, high=high, n=n, method="exact binomial")


def mean(values: ArrayLike, confidence: float = CONFIDENCE) -> Estimate:
    """The mean of scores with the sharpest bounds that their range allows.

    Yes/no scores: exact binomial. Scores in 0 to 1: bets (`unit_mean`), which hold at any n. Others: Student's t, which
    needs the mean to be roughly normal; no bounds below 2 values or without any spread.
    """
    sample = np.asarray(values, np.float64)
    if not sample.size:
        return Estimate(value=None, low=None, high=None, n=0, method="nothing measured")
    if np.isin(sample, (0.0, 1.0)).all():
        return share(int(sample.sum()), int(sample.size), confidence)
    if sample.min() >= 0 and sample.max() <= 1:
        low, high = unit_mean(sample, confidence)
        return Estimate(value=float(sample.mean()), low=low, high=high, n=int(sample.size), method="betting, 0 to 1")
    with np.errstate(over="ignore"):
        centre, spread = float(sample.mean()), float(sample.std(ddof=1)) if sample.size > 1 else 0.0
    if spread == 0.0 or not np.isfinite(spread):
        return Estimate(value=centre, low=None, high=None, n=int(sample.size), method="no usable spread")
    from scipy.stats import t

    half = float(t.ppf(confidence, sample.size - 1)) * spread / sqrt(sample.size)
    return Estimate(value=centre, low=centre - half, high=centre + half, n=int(sample.size), method="Student's t")


def unit_mean(values: ArrayLike, confidence: float = CONFIDENCE, seed: int = 0) -> tuple[float, float]:
    """(lower, upper) bound of the mean of values in 0 to 1, each with this confidence at any n and for any distribution.

    The bound is the largest mean that bets against it have made rich: the capital of fair bets reaches 1/α with probability
    at most α (Ville). Waudby-Smith and Ramdas: Estimating means of bounded random variables by betting (JRSS B 86, 2024),
    with their predictable plug-in bets. The values are bet on in an order drawn by `seed`. Raises ValueError outside 0 to 1.
    """
    sample = np.asarray(values, np.float64)
    if sample.size and (sample.min() < 0 or sample.max() > 1):
        raise ValueError("the values must lie between 0 and 1")
    drawn = np.random.default_rng(seed).permutation(sample)
    return _lower(drawn, 1 - confidence), 1 - _lower(1 - drawn, 1 - confidence)


def percentile(values: ArrayLike, q: float, confidence: float = CONFIDENCE) -> Estimate:
    """The q-quantile (0 < q < 1) with order statistics as bounds, whatever the distribution.

    David and Nagaraja: Order Statistics (2003), section 7.1. A bound is None when n is too small for it: an upper bound of
    the 95th percentile takes 59 values, of the 99th 299. Raises ValueError for another q.
    """
    if not 0 < q < 1:
        raise ValueError(f"{q} is no quantile")
    sample = np.sort(np.asarray(values, np.float64))
    n = int(sample.size)
    if n == 0:
        return Estimate(value=None, low=None, high=None, n=0, method="nothing measured")
    from scipy.stats import binom

    below, above = int(binom.ppf(1 - confidence, n, q)), int(binom.ppf(confidence, n, q))
    return Estimate(
        value=float(np.quantile(sample, q)),
        low=float(sample[below - 1]) if below >= 1 else None,
        high=float(sample[above]) if above < n else None,
        n=n,
        method="order statistics",
    )


def values_for_percentile(q: float, confidence: float = CONFIDENCE) -> int:
    """How many values an upper bound of the q-quantile takes: the smallest n with q^n <= 1 - confidence."""
    return int(np.ceil(log(1 - confidence) / log(q) - 1e-9))


def _lower(drawn: Numbers, alpha: float) -> float:
    """The largest mean that is refuted at level alpha by bets that the values are larger."""
    n = drawn.size
    if n == 0:
        return 0.0
    count = np.arange(1, n + 1)
    means = (0.5 + np.cumsum(drawn)) / (count + 1)
    spreads = (0.25 + np.cumsum((drawn - means) ** 2)) / (count + 1)
    before = np.concatenate(([0.25], spreads[:-1]))
    stakes = np.sqrt(2 * log(1 / alpha) / (n * before))

    def refuted(candidate: float) -> bool:
        bets = np.minimum(stakes, _CAUTION / candidate)
        capital = np.cumsum(np.log1p(bets * (drawn - candidate)))
        return bool(capital.max() >= log(1 / alpha))

    low, high = 0.0, 1.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if refuted(middle) else (low, middle)
    return low
