"""How well a ranking finds what was wanted, and how well a score tells an alarm from none."""

from collections.abc import Collection, Sequence

import numpy as np
from numpy.typing import ArrayLike


def rank_of(found: Sequence[str], wanted: Collection[str]) -> int | None:
    """The rank, from 1, of the first right answer; None when there is none."""
    return next((rank for rank, name in enumerate(found, start=1) if name in wanted), None)


def hits_at(ranks: Sequence[int | None], k: int) -> list[bool]:
    """For each query whether the first right answer is among the first k: recall@k is the mean of it."""
    return [rank is not None and rank <= k for rank in ranks]


def reciprocal_ranks(ranks: Sequence[int | None], cut: int = 20) -> list[float]:
    """1 / rank for each query, 0 beyond `cut`: MRR is the mean of it (Voorhees, TREC-8, 1999)."""
    return [1.0 / rank if rank is not None and rank <= cut else 0.0 for rank in ranks]


def average_precision(scores: ArrayLike, relevant: ArrayLike) -> float:
    """Mean, over the relevant cases, of the precision at their score; equal scores count together. 0 without any.

    The step-wise area under the precision-recall curve (Davis and Goadrich, ICML 2006, without interpolation).
    """
    values, truth = np.asarray(scores, np.float64), np.asarray(relevant, bool)
    if not truth.any():
        return 0.0
    order = np.argsort(-values, kind="stable")
    last = np.flatnonzero(np.r_[np.diff(values[order]) != 0, True])
    hits = np.cumsum(truth[order])[last]
    gained = np.diff(np.r_[0, hits]) / truth.sum()
    return float(np.sum(gained * hits / (last + 1)))
