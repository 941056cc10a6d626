"""Do two samples come from one distribution? Tests for numbers, categories and texts, and how large the difference is."""

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from qa_agents.results.monitor.change import Numbers

BINS = 10
ROUNDS = 999
"""Permutations of a test by chance: the smallest p is 1 / 1,000."""
MAX_TEXTS = 400
"""Texts of a side that are compared by meaning: the cost grows with the square."""
_SMALLEST = 1e-4
"""Share of an empty bin in the stability index, which would be infinite otherwise."""


class Drift(NamedTuple):
    """A test of "one distribution" and an effect size."""

    p: float
    effect: float
    test: str
    effect_name: str


def numbers_drift(now: Numbers, before: Numbers) -> Drift:
    """Kolmogorov and Smirnov's two-sample test, with the population stability index as effect.

    Exact for small samples. With ties, and with the same cases on both sides, the p-value is too large rather than too small.
    """
    from scipy.stats import ks_2samp

    found = ks_2samp(now, before, method="auto")
    return Drift(float(found.pvalue), stability_index(now, before), "Kolmogorov–Smirnov", "PSI")


def stability_index(now: ArrayLike, before: ArrayLike, bins: int = BINS) -> float:
    """The population stability index: Σ (a - b)·ln(a / b) over the shares in the deciles of `before`; 0 is no difference.

    0.1 and 0.25 are the usual marks for some and for much. It grows with small samples (its expectation is about
    (bins - 1)(1/n + 1/m); Yurdakul 2018), so it is shown as a size and never tested against a mark. Equal deciles are merged.
    """
    one, other = np.asarray(now, np.float64), np.asarray(before, np.float64)
    edges = np.unique(np.quantile(other, np.linspace(0, 1, bins + 1)[1:-1]))
    shares = [
        np.bincount(np.searchsorted(edges, sample, side="left"), minlength=edges.size + 1) / sample.size
        for sample in (one, other)
    ]
    return _index(*shares)


def categories_drift(now: Sequence[str], before: Sequence[str], *, seed: int = 0) -> Drift:
    """Pearson's χ² of homogeneity, with the total variation distance (0 to 1) as effect.

    Where cells are expected to hold fewer than five, the p-value comes from permutations of the two sides, which hold at any n.
    """
    from scipy.stats import chi2_contingency

    counts, other = Counter(now), Counter(before)
    names = sorted(set(counts) | set(other))
    table = np.array([[counts[name] for name in names], [other[name] for name in names]], np.int64)
    distance = float(np.abs(table[0] / table[0].sum() - table[1] / table[1].sum()).sum() / 2)
    if len(names) < 2:
        return Drift(1.0, 0.0, "χ²", "distance")
    expected = np.outer(table.sum(1), table.sum(0)) / table.sum()
    if expected.min() >= 5:
        return Drift(float(chi2_contingency(table, correction=False).pvalue), distance, "χ²", "distance")
    drawn = np.random.default_rng(seed).multivariate_hypergeometric(
        table.sum(0), int(table[0].sum()), size=ROUNDS, method="marginals"
    )
    statistic = ((drawn - expected[0]) ** 2 / (expected[0] * expected[1] / expected.sum(0))).sum(1)
    observed = float(((table[0] - expected[0]) ** 2 / (expected[0] * expected[1] / expected.sum(0))).sum())
    p = (1 + int((statistic >= observed * (1 - 1e-9)).sum())) / (ROUNDS + 1)
    return Drift(p, distance, "χ² by permutation", "distance")


def meanings_drift(now: NDArray[np.float32], before: NDArray[np.float32], *, paired: bool, seed: int = 0) -> Drift:
    """A kernel two-sample test of vectors (rows of length 1), with the maximum mean discrepancy as effect.

    Gretton, Borgwardt, Rasch, Schölkopf and Smola: A kernel two-sample test (JMLR 13, 2012); Gaussian kernel with the median
    distance, p by permutation. Paired (row i of both is one case): the two answers to a case are swapped, not mixed with others'.
    """
    n, m = len(now), len(before)
    together = np.concatenate([now, before]).astype(np.float64)
    squares = np.maximum(0.0, 2 - 2 * together @ together.T)
    upper = squares[np.triu_indices(n + m, 1)]
    width = float(np.median(upper[upper > 1e-12])) if (upper > 1e-12).any() else 1.0
    kernel = np.exp(-squares / width)
    random = np.random.default_rng(seed)
    plain = np.concatenate([np.full(n, 1 / n), np.full(m, -1 / m)])
    if paired:
        flips = random.choice([1.0, -1.0], (ROUNDS, n))
        signs = np.concatenate([flips, -flips], axis=1) / n
    else:
        signs = np.stack([random.permutation(plain) for _ in range(ROUNDS)])
    observed = float(plain @ kernel @ plain)
    drawn = ((signs @ kernel) * signs).sum(1)
    p = (1 + int((drawn >= observed - 1e-12).sum())) / (ROUNDS + 1)
    return Drift(p, max(0.0, observed) ** 0.5, "kernel two-sample", "MMD")


def most_unlike(now: NDArray[np.float32], before: NDArray[np.float32], count: int = 3) -> list[int]:
    """Rows of `now` that lie farthest from everything in `before`, the farthest first."""
    nearest = (now @ before.T).max(axis=1)
    return [int(index) for index in np.argsort(nearest, kind="stable")[:count]]


def _index(now: NDArray[np.float64], before: NDArray[np.float64]) -> float:
    one, other = np.maximum(now, _SMALLEST), np.maximum(before, _SMALLEST)
    return float(((one - other) * np.log(one / other)).sum())
