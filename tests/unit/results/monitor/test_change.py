"""Differences against the worked examples of the papers their methods come from."""

import numpy as np
import pytest

from qa_agents.results.monitor.change import difference, equivalence, mcnemar_exact, newcombe, newcombe_paired


@pytest.mark.parametrize(
    ("counts", "interval"),
    [
        ((56, 70, 48, 80), (0.0524, 0.3339)),
        ((9, 10, 3, 10), (0.1705, 0.8090)),
        ((6, 7, 2, 7), (0.0582, 0.8062)),
        ((5, 56, 0, 29), (-0.0381, 0.1926)),
        ((0, 10, 0, 20), (-0.1611, 0.2775)),
        ((0, 10, 0, 10), (-0.2775, 0.2775)),
        ((10, 10, 0, 20), (0.6791, 1.0)),
        ((10, 10, 0, 10), (0.6075, 1.0)),
    ],
)
def test_intervals_of_two_rates_are_those_of_newcombes_table_ii(
    counts: tuple[int, int, int, int], interval: tuple[float, float]
) -> None:
    assert newcombe(*counts) == pytest.approx(interval, abs=5e-5)


def test_the_interval_of_paired_rates_is_the_published_one() -> None:
    # Newcombe 1998, paired data, method 10, the example with 36, 12, 2 and 0 pairs.
    assert newcombe_paired(36, 12, 2, 0) == pytest.approx((0.0569, 0.3404), abs=5e-5)


def test_mcnemars_exact_p_is_twice_the_binomial_tail() -> None:
    assert mcnemar_exact(12, 2) == pytest.approx(2 * 106 / 2**14)
    assert mcnemar_exact(0, 0) == 1.0


def test_the_same_cases_show_a_change_that_two_samples_hide() -> None:
    random = np.random.default_rng(0)
    before = random.normal(0, 5, 60)
    now = before + 0.5 + random.normal(0, 0.5, 60)
    assert difference(now, before, paired=True).p < 1e-6
    assert difference(now, before, paired=False).p > 0.1


def test_a_change_of_the_stated_size_is_found_four_times_out_of_five() -> None:
    random = np.random.default_rng(3)
    seen = difference(random.normal(size=100), random.normal(size=100), paired=False).detectable
    assert seen is not None
    found = sum(
        difference(random.normal(seen, size=100), random.normal(size=100), paired=False).p < 0.05 for _ in range(300)
    )
    assert 0.70 <= found / 300 <= 0.90


def test_no_spread_at_all_is_told_as_it_is() -> None:
    same = difference(np.full(5, 2.0), np.full(5, 2.0), paired=True)
    assert (same.value, same.p) == (0.0, 1.0)
    assert difference(np.array([3.0]), np.array([2.0]), paired=False).p == 1.0
    with pytest.raises(ValueError, match="nothing"):
        difference(np.array([]), np.array([1.0]), paired=False)


@pytest.mark.parametrize(("low", "high", "equal"), [(-0.02, 0.03, True), (-0.02, 0.06, False), (-0.05, 0.0, False)])
def test_equal_means_that_the_whole_interval_lies_within_the_margin(low: float, high: float, equal: bool) -> None:
    assert equivalence(low, high, 0.05) is equal
