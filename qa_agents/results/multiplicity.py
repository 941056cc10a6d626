"""Many questions asked of the same data: adjusted p-values, so that a page of tests does not find something by chance."""

from collections.abc import Sequence


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjusted p-values in the order given: below α, "no difference" is rejected with family-wise error at most α.

    Valid whatever the tests depend on. Holm: A simple sequentially rejective multiple test procedure (Scandinavian Journal
    of Statistics 6, 1979).
    """
    adjusted, worst = [0.0] * len(p_values), 0.0
    for place, index in enumerate(_order(p_values)):
        worst = max(worst, min(1.0, (len(p_values) - place) * p_values[index]))
        adjusted[index] = worst
    return adjusted


def benjamini_hochberg(p_values: Sequence[float]) -> list[float]:
    """Adjusted p-values in the order given: of those at most α, an expected share of at most α is false.

    For tests that are independent or positively dependent. Benjamini and Hochberg: Controlling the false discovery rate
    (JRSS B 57, 1995).
    """
    return _step_up(p_values, 1.0)


def benjamini_yekutieli(p_values: Sequence[float]) -> list[float]:
    """As `benjamini_hochberg`, whatever the tests depend on; the price is the factor 1 + 1/2 + … + 1/m.

    Benjamini and Yekutieli: The control of the false discovery rate in multiple testing under dependency (Annals of
    Statistics 29, 2001).
    """
    return _step_up(p_values, sum(1 / rank for rank in range(1, len(p_values) + 1)))


def _step_up(p_values: Sequence[float], factor: float) -> list[float]:
    m, adjusted, best = len(p_values), [0.0] * len(p_values), 1.0
    for place, index in reversed(list(enumerate(_order(p_values), start=1))):
        best = min(best, factor * m * p_values[index] / place)
        adjusted[index] = best
    return adjusted


def _order(p_values: Sequence[float]) -> list[int]:
    return sorted(range(len(p_values)), key=lambda i: p_values[i])
