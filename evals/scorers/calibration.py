"""Whether probabilities mean what they say, and what it buys to answer only where they are high."""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import BaseModel

Floats = NDArray[np.float64]

BINS = 10


class Bin(BaseModel):
    """Cases of neighbouring probability."""

    n: int
    said: float
    """Mean probability."""
    kept: float
    """Share that was right."""


class Coverage(NamedTuple):
    """One point of the risk-coverage curve."""

    coverage: float
    risk: float


def adaptive_bins(probabilities: ArrayLike, right: ArrayLike, bins: int = BINS) -> list[Bin]:
    """Equally many cases a bin, the lowest probabilities first; fewer bins than asked where cases are few.

    Nguyen and O'Connor: Posterior calibration and exploratory analysis for NLP models (EMNLP 2015).
    """
    said, kept = np.asarray(probabilities, np.float64), np.asarray(right, np.float64)
    order = np.argsort(said, kind="stable")
    parts = [part for part in np.array_split(order, max(1, min(bins, said.size))) if part.size]
    return [Bin(n=part.size, said=float(said[part].mean()), kept=float(kept[part].mean())) for part in parts]


def expected_calibration_error(probabilities: ArrayLike, right: ArrayLike, bins: int = BINS) -> float:
    """Mean distance, weighted by cases, between what a bin said and what was right; 0 to 1, 0 without cases.

    Over adaptive bins. It cannot reach 0 on finite data: n cases of one true probability p give about
    √(2p(1-p)·bins / (πn)) by chance.
    """
    said, kept = np.asarray(probabilities, np.float64), np.asarray(right, np.float64)
    if not said.size:
        return 0.0
    order = np.argsort(said, kind="stable")
    starts = np.cumsum([0, *(part.size for part in np.array_split(order, min(bins, said.size)))])[:-1]
    return float(np.abs(np.add.reduceat(said[order] - kept[order], starts)).sum() / said.size)


def brier(probabilities: ArrayLike, right: ArrayLike) -> float:
    """Mean squared distance between probability and outcome (Brier 1950); 0 to 1."""
    said, kept = np.asarray(probabilities, np.float64), np.asarray(right, np.float64)
    return float(np.mean((said - kept) ** 2)) if said.size else 0.0


def risk_coverage(confidence: ArrayLike, right: ArrayLike, total: int | None = None) -> list[Coverage]:
    """Answer the surest first: after each group of equally sure cases, the share answered and the share wrong of it.

    `total` counts the cases that were never answered too (El-Yaniv and Wiener, JMLR 2010).
    """
    shares, wrong = _curve(confidence, right, total)
    return [Coverage(float(share), float(risk)) for share, risk in zip(shares, wrong, strict=True)]


def aurc(confidence: ArrayLike, right: ArrayLike) -> float:
    """Area under the risk-coverage curve of the answered cases, the mean risk over all cut-offs; lower is better.

    Geifman, Uziel and El-Yaniv (ICLR 2019). Cases of one confidence share the risk at the end of their group.
    """
    shares, wrong = _curve(confidence, right, None)
    return float(np.sum(np.diff(np.r_[0.0, shares]) * wrong))


def coverage_at(confidence: ArrayLike, right: ArrayLike, accuracy: float, total: int | None = None) -> float:
    """The largest share of all cases that can be answered, the surest first, with at least this accuracy; 0 to 1.

    Looks at the outcomes to choose the cut, so it says what the ordering is worth, not what a threshold chosen
    beforehand would give.
    """
    shares, wrong = _curve(confidence, right, total)
    reached = shares[1 - wrong >= accuracy - 1e-12]
    return float(reached[-1]) if reached.size else 0.0


def _curve(confidence: ArrayLike, right: ArrayLike, total: int | None) -> tuple[Floats, Floats]:
    """Share answered and share wrong of it, after each group of equally sure cases."""
    sure, kept = np.asarray(confidence, np.float64), np.asarray(right, np.float64)
    order = np.argsort(-sure, kind="stable")
    last = np.flatnonzero(np.r_[np.diff(sure[order]) != 0, True][: sure.size])
    wrong = np.cumsum(1 - kept[order])[last] / (last + 1)
    return (last + 1) / (total or max(1, sure.size)), wrong
