"""Estimates with bounds, against published values and by simulation."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qa_agents.results.bounds import Estimate, mean, percentile, share, unit_mean, values_for_percentile


def test_no_failure_in_300_bounds_the_rate_by_one_percent() -> None:
    # The rule of three: Hanley and Lippman-Hand (JAMA 249, 1983).
    assert share(0, 300).high == pytest.approx(0.01, abs=1e-4)
    assert share(300, 300).low == pytest.approx(0.99, abs=1e-4)


def test_nothing_measured_says_nothing() -> None:
    assert (share(0, 0).value, share(0, 0).low, share(0, 0).high) == (None, 0.0, 1.0)
    assert mean([]).value is None
    assert percentile([], 0.5).value is None


def test_yes_no_scores_get_the_exact_binomial_bound() -> None:
    assert mean([1.0] * 9 + [0.0]) == share(9, 10)


def test_equal_scores_that_are_no_rate_are_not_taken_for_certain() -> None:
    found = mean([0.9] * 20)
    assert found.value == pytest.approx(0.9)
    assert found.low is not None
    assert found.low < 0.85
    assert mean([7.0] * 20).low is None


def test_the_t_bound_is_students() -> None:
    # Mean 10, standard deviation 1, n = 9: the one-sided 95 % bound is 10 - 1.860 / 3 (t tables, 8 degrees of freedom).
    values = np.array([-1.5, -1.0, -0.5, -0.25, 0, 0.25, 0.5, 1.0, 1.5])
    values = 10 + values / values.std(ddof=1)
    assert mean(values).low == pytest.approx(10 - 1.8595 / 3, abs=1e-3)


@pytest.mark.parametrize(("shape", "true"), [((9.0, 1.0), 0.9), ((0.5, 0.5), 0.5), ((0.2, 3.8), 0.05)])
def test_bets_on_scores_between_0_and_1_rarely_claim_too_much(shape: tuple[float, float], true: float) -> None:
    random = np.random.default_rng(1)
    missed = np.zeros(2)
    for seed in range(120):
        low, high = unit_mean(random.beta(*shape, size=40), seed=seed)
        missed += (low > true, high < true)
    assert missed.max() <= 13  # 6 of 120 are expected at most; 13 has a probability below 1 % even then


@given(st.lists(st.floats(0, 1), min_size=1, max_size=60))
def test_the_bounds_of_a_mean_lie_on_either_side_of_it(values: list[float]) -> None:
    low, high = unit_mean(values)
    assert 0 <= low <= np.mean(values) + 1e-9
    assert np.mean(values) - 1e-9 <= high <= 1


def test_scores_beyond_0_to_1_are_refused_by_the_bets() -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        unit_mean([0.5, 1.5])


def test_a_high_percentile_takes_enough_values_for_its_upper_bound() -> None:
    assert (values_for_percentile(0.95), values_for_percentile(0.99)) == (59, 299)
    assert percentile(np.arange(58.0), 0.95).high is None
    assert percentile(np.arange(59.0), 0.95).high == 58.0


def test_the_bounds_of_a_median_are_the_tabulated_order_statistics() -> None:
    # n = 10: (x2, x9) covers the median with 97.85 %, each end with 98.93 % (David and Nagaraja 2003, section 7.1).
    found = percentile(np.arange(1.0, 11.0), 0.5, confidence=0.98)
    assert (found.low, found.value, found.high) == (2.0, 5.5, 9.0)


@pytest.mark.parametrize(
    ("estimate", "said"),
    [
        (Estimate(value=3, low=3, high=3, n=9, method=""), "3"),
        (Estimate(value=2040.4, low=1940, high=None, n=9, method=""), "2,040 (1,940–…)"),
        (Estimate(value=None, low=None, high=None, n=0, method=""), "not measured"),
    ],
)
def test_an_estimate_reads_like_a_person_wrote_it(estimate: Estimate, said: str) -> None:
    assert str(estimate) == said
