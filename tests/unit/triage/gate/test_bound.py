"""The missed-critical bound: its numbers are those of the exact rule, and it holds in simulation."""

import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom

from qa_agents.checkpoint.gate_policy import Costs
from qa_agents.triage.gate.bound import (
    CriticalBound,
    auc,
    binomial_cdf,
    feasible,
    needed_criticals,
    rank_of,
    threshold,
    worth_looking,
)

LEVELS = st.floats(0.001, 0.5)
SIMULATIONS = 200
BEYOND_CHANCE = 21
"""P(Binomial(200, 0.05) > 21) is below 0.0005: more violations than this are not chance."""


@settings(deadline=None)
@given(st.integers(0, 800), st.integers(-1, 801), st.floats(0, 1))
def test_the_distribution_function_is_scipys(n: int, k: int, p: float) -> None:
    assert binomial_cdf(k, n, p) == pytest.approx(float(binom.cdf(k, n, p)), abs=1e-9)


@pytest.mark.parametrize(("n", "p"), [(-1, 0.5), (3, -0.1), (3, 1.1)])
def test_what_is_no_distribution_is_refused(n: int, p: float) -> None:
    with pytest.raises(ValueError, match="no distribution"):
        binomial_cdf(1, n, p)


@settings(deadline=None)
@given(st.integers(0, 500), LEVELS, LEVELS)
def test_the_rank_is_the_largest_that_the_rule_allows(n: int, alpha: float, delta: float) -> None:
    tail = binom.cdf(np.arange(n), n, alpha)  # of r - 1, for r from 1 to n
    strictly, allowed = (int((tail <= delta * slack).sum()) for slack in (1 - 1e-9, 1 + 1e-9))
    assert strictly <= rank_of(n, alpha, delta) <= allowed


@pytest.mark.parametrize(
    ("alpha", "none_missed", "one_missed"), [(0.1, 29, 46), (0.05, 59, 93), (0.02, 149, 236), (0.01, 299, 473)]
)
def test_the_fewest_critical_reports_are_those_of_the_table(alpha: float, none_missed: int, one_missed: int) -> None:
    assert (needed_criticals(alpha, 0.05), needed_criticals(alpha, 0.05, misses=1)) == (none_missed, one_missed)
    assert rank_of(none_missed, alpha, 0.05) == 1
    assert rank_of(none_missed - 1, alpha, 0.05) == 0


def test_what_is_not_feasible_is_said_with_what_would_be() -> None:
    can = feasible(58, 0.05, 0.05)
    assert can.allowed == -1
    assert "It takes 59 critical reports; there are 58" in str(can)
    assert "5.03%" in str(can)
    assert "feasible with 93" in str(feasible(93, 0.05, 0.05))
    assert feasible(0, 0.05, 0.05).best_alpha is None
    with pytest.raises(ValueError, match="between 0 and 1"):
        feasible(10, 0.0, 0.05)


def test_too_few_critical_reports_ask_for_everything() -> None:
    assert threshold([0.9] * 58, 0.05, 0.05) == (0.0, 0)
    assert threshold([], 0.05, 0.05) == (0.0, 0)


@given(st.lists(st.floats(0, 1), min_size=59, max_size=300))
def test_at_most_the_allowed_number_lies_below_the_threshold(scores: list[float]) -> None:
    t, r = threshold(scores, 0.05, 0.05)
    assert sum(score < t for score in scores) <= r - 1


@pytest.mark.parametrize("digits", [12, 1])
@pytest.mark.parametrize("n", [59, 93, 200])
def test_the_bound_is_violated_no_more_often_than_promised(n: int, digits: int) -> None:
    """Scores drawn from the uniform distribution, where the share below t is t; rounded ones have ties and miss less."""
    chance = random.Random(n)
    violated = 0
    for _ in range(SIMULATIONS):
        t, _r = threshold([round(chance.random(), digits) for _ in range(n)], 0.05, 0.05)
        missed = t if digits > 1 else max(0.0, t - 0.05)  # of one digit, what rounds below t was drawn below t - 0.05
        violated += missed > 0.05 + 1e-9
    assert violated <= BEYOND_CHANCE


def test_the_lower_of_proof_and_price_is_the_threshold() -> None:
    bound = CriticalBound(fingerprint="f", critical=["S1"], alpha=0.05, delta=0.05, n=100, r=2, proven=0.4)
    assert bound.threshold == 0.4
    assert bound.model_copy(update={"worth": 0.3}).threshold == 0.3
    assert bound.model_copy(update={"worth": 0.6}).threshold == 0.4
    assert "at most 5.0% of critical reports (S1)" in bound.guarantee()
    assert "every report is escalated" in bound.model_copy(update={"r": 0, "proven": 0.0}).guarantee()


def test_a_look_is_worth_it_the_earlier_the_dearer_a_miss() -> None:
    assert worth_looking(Costs(review=1, miss=100)) == pytest.approx(0.01)
    assert worth_looking(Costs(review=1, miss=100, caught=0.5)) == pytest.approx(0.02)
    assert worth_looking(Costs(review=5, miss=1)) == 1.0


@given(st.lists(st.integers(0, 5), min_size=1, max_size=30), st.lists(st.integers(0, 5), min_size=1, max_size=30))
def test_auc_counts_pairs(critical: list[int], others: list[int]) -> None:
    pairs = [(a > b) + (a == b) / 2 for a in critical for b in others]
    assert auc(critical, others) == pytest.approx(sum(pairs) / len(pairs))
    assert auc([], others) is None
