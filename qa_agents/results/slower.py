"""Tests that take longer than they did: the last few runs against those before, with the weather of the machine taken out.

A run on a busy machine slows every test; so each duration is divided by how slow its run was as a whole (the median over tests of
duration against the test's own median). What is left is compared by Mann and Whitney's rank test (1947), Holm's correction (1979)
over every test that could be compared, and a smallest effect worth a person's time.
"""

from collections.abc import Sequence
from functools import lru_cache
from math import comb, erfc, sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from qa_agents.results.history import PASSED, History
from qa_agents.results.multiplicity import holm

RECENT = (5, 10)
"""So many runs at the end are held against those before: the few find a large slow-down soon, the many a smaller one."""
EARLIER = 10
"""So many earlier runs are the least; at most LOOK_BACK are used."""
LOOK_BACK = 60
RATIO = 1.5
SECONDS = 0.1
"""Smallest effect: RATIO times as long, and SECONDS longer, in the median."""
ALPHA = 0.05
"""Family-wise error over all tests and both numbers of recent runs."""

_COUNTABLE = 2**50
"""Fewer arrangements than this are counted without loss in a double."""

Matrix = NDArray[np.float64]


class Slower(BaseModel):
    """One test that became slower."""

    model_config = ConfigDict(frozen=True)

    test_id: str
    before: float
    """Median seconds of the earlier runs, on a machine as fast as in the recent ones."""
    now: float
    """Median seconds of the recent runs."""
    ratio: float
    p: float
    """Adjusted for every test that was compared with as many recent runs."""
    n_before: int
    n_now: int
    compared: int
    """How many tests were compared."""


def slower(history: History, upto: int, *, alpha: float = ALPHA) -> list[Slower]:
    """The tests whose passing runs became slower with the last of them up to column `upto`, the largest ratio first.

    Nothing without EARLIER runs before the recent ones.
    """
    found: dict[str, Slower] = {}
    for recent in RECENT:
        for one in _slower(history, upto, recent, alpha / len(RECENT)):
            found.setdefault(one.test_id, one)
    return sorted(found.values(), key=lambda one: (-one.ratio, one.test_id))


def _slower(history: History, upto: int, recent: int, alpha: float) -> list[Slower]:
    if upto + 1 < recent + EARLIER:
        return []
    first = max(0, upto + 1 - recent - LOOK_BACK)
    block = slice(first, upto + 1)
    passed = history.codes[:, block] == PASSED
    seconds = history.seconds[:, block].astype(np.float64)
    seconds[~passed] = np.nan
    known = ~np.isnan(seconds)
    rows = np.flatnonzero((known[:, -recent:].sum(axis=1) == recent) & (known[:, :-recent].sum(axis=1) >= EARLIER))
    if not rows.size:
        return []
    chosen = seconds[rows]
    level = _medians(chosen)
    adjusted = chosen / _weather(chosen, level)
    late, early = adjusted[:, -recent:], adjusted[:, :-recent]
    now, before = _medians(late), _medians(early)
    worth = np.flatnonzero((now >= RATIO * before) & (now - before >= SECONDS))
    ps = [mann_whitney(early[row][~np.isnan(early[row])], late[row]) for row in worth.tolist()]
    return [
        Slower(
            test_id=history.tests[rows[row]],
            before=float(before[row]),
            now=float(now[row]),
            ratio=float(now[row] / max(before[row], 1e-9)),
            p=p,
            n_before=int((~np.isnan(early[row])).sum()),
            n_now=recent,
            compared=len(rows),
        )
        for row, p in zip(worth.tolist(), holm([*ps, *[1.0] * (len(rows) - len(ps))]), strict=False)
        if p <= alpha
    ]


def weather(history: History, upto: int) -> float | None:
    """How slow the run in column `upto` was as a whole, 1 for as ever; None where too little is known of earlier ones."""
    if upto < EARLIER:
        return None
    passed = history.codes[:, : upto + 1] == PASSED
    seconds = np.where(passed, history.seconds[:, : upto + 1], np.float32(np.nan))
    rows = np.flatnonzero(~np.isnan(seconds[:, -1]) & ((~np.isnan(seconds[:, :-1])).sum(axis=1) >= EARLIER))
    if rows.size < EARLIER:
        return None
    before = _medians(seconds[rows, :-1])
    usable = before > 0
    return float(np.median(seconds[rows[usable], -1] / before[usable])) if usable.any() else None


def mann_whitney(before: Sequence[float] | Matrix, now: Sequence[float] | Matrix) -> float:
    """One-sided p of "now is no longer than before".

    Exact without ties; else by the normal approximation with the correction for ties and continuity. Mann and Whitney: On a test
    of whether one of two random variables is stochastically larger than the other (Annals of Mathematical Statistics 18, 1947).
    Raises ValueError for an empty sample.
    """
    earlier, later = np.asarray(before, np.float64), np.asarray(now, np.float64)
    m, n = earlier.size, later.size
    if not m or not n:
        raise ValueError("nothing was measured")
    u = float((later[:, None] > earlier[None, :]).sum() + 0.5 * (later[:, None] == earlier[None, :]).sum())
    _, counts = np.unique(np.concatenate([earlier, later]), return_counts=True)
    if counts.max() == 1 and comb(m + n, n) < _COUNTABLE:
        return _exact(m, n)[int(u)]
    total = m + n
    ties = float((counts**3 - counts).sum()) / (total * (total - 1)) if total > 1 else 0.0
    spread = sqrt(m * n / 12 * (total + 1 - ties))
    return 1.0 if spread == 0 else 0.5 * erfc((u - m * n / 2 - 0.5) / spread / sqrt(2))


def _medians(rows: NDArray[Any]) -> Matrix:
    """The median of what is known in each row; NaN where nothing is. A tenth of the time that numpy's nanmedian takes."""
    ordered = np.sort(np.ascontiguousarray(rows), axis=1)  # unknown ones last
    known = (~np.isnan(ordered)).sum(axis=1)
    at, last = np.arange(len(ordered)), ordered.shape[1] - 1
    below, above = np.maximum(known - 1, 0) // 2, np.minimum(known // 2, last)
    found: Matrix = (ordered[at, below].astype(np.float64) + ordered[at, above]) / 2
    return found


def _weather(seconds: Matrix, level: Matrix) -> Matrix:
    """How slow each run was, from the tests that take time at all."""
    timed = level > 0
    if not timed.any():
        return np.ones(seconds.shape[1])
    with np.errstate(invalid="ignore"):
        relative = seconds[timed] / level[timed, None]
    empty = np.isnan(relative).all(axis=0)
    relative[:, empty] = 1.0
    found = _medians(relative.T)
    return np.where(found > 0, found, 1.0)


@lru_cache(maxsize=256)
def _exact(m: int, n: int) -> tuple[float, ...]:
    """P(U >= u) for u = 0 … m·n under no difference, by counting arrangements."""
    ways = np.zeros(m * n + 1)
    ways[0] = 1.0
    # The generating function of U is a Gaussian binomial coefficient: the product of (1 - q^(m+i)) / (1 - q^i).
    for i in range(1, n + 1):
        step = m + i
        if step <= m * n:
            ways[step:] = ways[step:] - ways[: m * n + 1 - step].copy()
        for u in range(i, m * n + 1):
            ways[u] += ways[u - i]
    tail = np.cumsum(ways[::-1])[::-1]
    return tuple((tail / tail[0]).tolist())
