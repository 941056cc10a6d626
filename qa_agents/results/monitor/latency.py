"""Did it become slower? Percentiles with bounds on both sides, and their ratio with an interval."""

from collections.abc import Sequence

import numpy as np
from pydantic import BaseModel, ConfigDict

from qa_agents.results.bounds import Estimate, percentile
from qa_agents.results.monitor.change import ALPHA, Numbers

QUANTILES = (0.5, 0.95, 0.99)
ROUNDS = 4_000


class LatencyChange(BaseModel):
    """One percentile, in milliseconds."""

    model_config = ConfigDict(frozen=True)

    q: float
    now: Estimate
    before: Estimate
    ratio: float | None
    """now / before, with a 95 % interval; None where a side has too few values for this percentile."""
    low: float | None
    high: float | None


def latency_changes(now: Sequence[float], before: Sequence[float]) -> list[LatencyChange]:
    """The usual percentiles, each with its bounds on both sides and the ratio."""
    one, other = np.asarray(now, np.float64), np.asarray(before, np.float64)
    return [_change(one, other, q) for q in QUANTILES] if one.size and other.size else []


def ratio_interval(
    now: Numbers, before: Numbers, q: float, *, confidence: float = 1 - ALPHA, seed: int = 0
) -> tuple[float, float]:
    """Bootstrap interval of the ratio of the q-quantiles, the samples taken as independent.

    The rank of a resample's quantile has a Beta distribution, so ranks are drawn and nothing is sorted again: Hutson and Ernst:
    The exact bootstrap mean and variance of an L-estimator (JRSS B 62, 2000). For the same cases on both sides it is too wide.
    """
    random = np.random.default_rng(seed)
    ratios = _drawn(now, q, random) / np.maximum(_drawn(before, q, random), 1e-9)
    low, high = np.quantile(ratios, [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(low), float(high)


def _change(now: Numbers, before: Numbers, q: float) -> LatencyChange:
    here, there = percentile(now, q), percentile(before, q)
    enough = here.high is not None and there.high is not None and bool(there.value)
    low, high = ratio_interval(now, before, q) if enough else (None, None)
    ratio = (here.value or 0.0) / there.value if enough and there.value else None
    return LatencyChange(q=q, now=here, before=there, ratio=ratio, low=low, high=high)


def _drawn(sample: Numbers, q: float, random: np.random.Generator) -> Numbers:
    n = sample.size
    rank = min(n, max(1, int(np.ceil(q * n))))
    places = np.minimum((random.beta(rank, n - rank + 1, ROUNDS) * n).astype(np.intp), n - 1)
    drawn: Numbers = np.sort(sample)[places]
    return drawn
