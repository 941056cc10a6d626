"""The statistics against values that were published or can be counted by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evals.stats import bootstrap, growth, mcnemar_exact, paired_bootstrap, paired_ratio, spread, wilson


@pytest.mark.parametrize(
    ("successes", "n", "low", "high"),
    [
        (81, 263, 0.2553, 0.3662),  # Newcombe 1998, table I, method 3
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
        (90, 100, 0.8256, 0.9448),
    ],
)
def test_wilson_gives_newcombes_published_limits(successes: int, n: int, low: float, high: float) -> None:
    found = wilson(successes, n)
    assert (round(found.low, 4), round(found.high, 4)) == (low, high)
    assert found.n == n


def test_wilson_without_observations_knows_nothing() -> None:
    assert (wilson(0, 0).low, wilson(0, 0).high) == (0.0, 1.0)


def test_wilson_refuses_what_is_no_rate() -> None:
    with pytest.raises(ValueError, match="3 of 2"):
        wilson(3, 2)


@given(st.integers(0, 500), st.integers(0, 500))
def test_wilson_always_holds_the_rate_and_stays_between_0_and_1(successes: int, failures: int) -> None:
    found = wilson(successes, successes + failures)
    assert 0.0 <= found.low <= found.value <= found.high <= 1.0


@pytest.mark.parametrize(
    ("only_ours", "only_theirs", "p"),
    [
        (0, 0, 1.0),
        (1, 0, 1.0),
        (5, 0, 2 / 32),
        (6, 0, 2 / 64),
        (1, 5, 2 * 7 / 64),
        (10, 10, 1.0),
        (8, 2, 2 * 56 / 1024),
    ],
)
def test_mcnemar_counts_the_binomial_tail(only_ours: int, only_theirs: int, p: float) -> None:
    assert mcnemar_exact(only_ours, only_theirs) == pytest.approx(p)
    assert mcnemar_exact(only_theirs, only_ours) == pytest.approx(p)


def test_mcnemar_takes_thousands_of_cases() -> None:
    assert 0.0 < mcnemar_exact(3_000, 2_700) < 0.001


def test_a_spread_names_median_percentile_and_both_ends() -> None:
    found = spread(np.arange(1, 102))
    assert (found.n, found.median, found.p95, found.low, found.high, found.mean) == (101, 51, 96, 1, 101, 51)


def test_nothing_measured_is_an_error_not_a_zero() -> None:
    with pytest.raises(ValueError, match="nothing was measured"):
        spread([])
    with pytest.raises(ValueError, match="nothing was measured"):
        bootstrap([])


def test_a_difference_that_is_the_same_everywhere_has_no_interval() -> None:
    theirs = np.random.default_rng(3).random(50)
    found = paired_bootstrap(theirs + 0.25, theirs)
    assert (found.low, found.value, found.high) == pytest.approx((0.25, 0.25, 0.25))


def test_a_paired_bootstrap_agrees_with_the_normal_approximation() -> None:
    rng = np.random.default_rng(5)
    ours, theirs = rng.normal(0.5, 1, 400), rng.normal(0, 1, 400)
    found = paired_bootstrap(ours, theirs)
    half = 1.96 * (ours - theirs).std(ddof=1) / np.sqrt(400)
    assert (found.low, found.high) == pytest.approx((found.value - half, found.value + half), abs=0.02)


def test_the_bootstrap_covers_the_truth_about_as_often_as_it_says() -> None:
    rng = np.random.default_rng(11)
    samples = (rng.normal(1.0, 1.0, 60) for _ in range(300))
    covered = [found.low <= 1.0 <= found.high for found in (bootstrap(s, rounds=400) for s in samples)]
    assert 0.89 <= np.mean(covered) <= 0.99


def test_equal_seeds_give_equal_intervals() -> None:
    values = np.random.default_rng(1).random(30)
    assert bootstrap(values, seed=4) == bootstrap(values, seed=4)


def test_a_ratio_of_medians_is_taken_on_the_same_cases() -> None:
    theirs = np.random.default_rng(2).random(40) + 1
    found = paired_ratio(3 * theirs, theirs)
    assert (found.low, found.value, found.high) == pytest.approx((3, 3, 3))


def test_samples_of_different_length_are_not_paired() -> None:
    with pytest.raises(ValueError, match="not the same cases"):
        paired_bootstrap([1, 2], [1, 2, 3])


@pytest.mark.parametrize("exponent", [0.0, 0.5, 1.0, 2.0])
def test_growth_finds_the_exponent(exponent: float) -> None:
    sizes = [10_000, 30_000, 100_000]
    assert growth(sizes, [7 * size**exponent for size in sizes]) == pytest.approx(exponent, abs=1e-9)
