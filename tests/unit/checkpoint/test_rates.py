"""Known values: Newcombe (1998) for Wilson, R's binom.test for the exact interval, Cohen's and Fleiss' worked tables."""

from math import comb

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qa_agents.checkpoint.rates import at_most, clopper_pearson, kappa, wilson


@pytest.mark.parametrize(
    ("events", "n", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718), (29, 29, 0.8830, 1.0)],
)  # fmt: skip
def test_wilson_gives_the_published_limits(events: int, n: int, low: float, high: float) -> None:
    rate = wilson(events, n)
    assert (rate.low, rate.high) == (pytest.approx(low, abs=6e-5), pytest.approx(high, abs=6e-5))


@pytest.mark.parametrize(
    ("events", "n", "low", "high"),
    [(81, 263, 0.2527, 0.3676), (15, 148, 0.0578, 0.1617), (0, 20, 0.0, 0.1684), (1, 29, 0.0009, 0.1776), (29, 29, 0.8806, 1.0)],
)  # fmt: skip
def test_clopper_and_pearson_give_the_published_limits(events: int, n: int, low: float, high: float) -> None:
    rate = clopper_pearson(events, n)
    assert (rate.low, rate.high) == (pytest.approx(low, abs=6e-5), pytest.approx(high, abs=6e-5))


def test_a_catch_rate_reads_as_a_person_would_say_it() -> None:
    assert str(wilson(9, 10)) == "9 of 10: 60–98 %"
    assert str(wilson(0, 0)) == "none yet"


@pytest.mark.parametrize(("n", "bound"), [(120, 0.0247), (299, 0.01), (59, 0.05), (1, 0.95), (0, 1.0)])
def test_nothing_wrong_still_has_an_upper_bound(n: int, bound: float) -> None:
    assert at_most(0, n) == pytest.approx(bound, abs=5e-4)


@given(st.integers(30, 20_000))
def test_the_exact_bound_for_nothing_wrong_is_just_below_the_rule_of_three(n: int) -> None:
    assert 0.94 * 3 / n < at_most(0, n) <= 3 / n


@given(st.integers(1, 300), st.data())
def test_at_the_exact_bound_so_few_events_have_the_probability_that_is_left(n: int, data: st.DataObject) -> None:
    events = data.draw(st.integers(0, n - 1))
    bound = at_most(events, n)
    below = sum(comb(n, k) * bound**k * (1 - bound) ** (n - k) for k in range(events + 1))
    assert below == pytest.approx(0.05, rel=1e-6)


@given(st.integers(0, 400), st.integers(0, 400))
def test_limits_hold_the_rate_and_the_exact_ones_are_mirror_images(events: int, others: int) -> None:
    n = events + others
    for interval in (wilson, clopper_pearson):
        rate = interval(events, n)
        assert 0 <= rate.low <= (rate.value if rate.value is not None else 0.5) <= rate.high <= 1
    assert clopper_pearson(events, n).low == pytest.approx(1 - clopper_pearson(others, n).high, abs=1e-9)


def test_large_numbers_are_no_trouble() -> None:
    assert clopper_pearson(50_000, 100_000).high == pytest.approx(0.5031, abs=1e-4)


@pytest.mark.parametrize("interval", [wilson, clopper_pearson, at_most])
@pytest.mark.parametrize(("events", "n"), [(-1, 3), (4, 3)])
def test_what_is_no_rate_is_refused(interval: object, events: int, n: int) -> None:
    with pytest.raises(ValueError, match="not a rate"):
        interval(events, n)  # type: ignore[operator]


def pairs_of(table: list[list[int]]) -> list[tuple[str, str]]:
    return [(str(i), str(j)) for i, row in enumerate(table) for j, count in enumerate(row) for _ in range(count)]


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        ([[20, 5], [10, 15]], 0.4),
        ([[45, 15], [25, 15]], 0.1304),
        ([[25, 35], [5, 35]], 0.2593),
        ([[88, 14, 18], [10, 40, 10], [2, 6, 12]], 0.4915),
    ],
)
def test_kappa_gives_the_published_values(table: list[list[int]], expected: float) -> None:
    assert kappa(pairs_of(table)).kappa == pytest.approx(expected, abs=1e-3)


def test_the_interval_of_kappa_is_near_that_of_fleiss_cohen_and_everitt_for_large_samples() -> None:
    """The psychiatric example of Fleiss (Statistical Methods for Rates and Proportions): kappa 0.676, standard error 0.088."""
    found = kappa(pairs_of([[75, 1, 4], [5, 4, 1], [0, 0, 10]]))
    assert found.kappa == pytest.approx(0.676, abs=1e-3)
    assert found.low is not None
    assert found.high is not None
    assert (found.high - found.low) / 2 / 1.96 == pytest.approx(0.088, abs=5e-3)


@pytest.mark.parametrize(("true", "n"), [(0.0, 10), (0.4, 10), (0.7, 10), (0.7, 20), (0.9, 20)])
def test_the_interval_of_kappa_holds_the_truth_in_small_samples_too(true: float, n: int) -> None:
    shares = np.array([0.6, 0.25, 0.15])
    joint = np.outer(shares, shares) * (1 - true) + np.diag(shares) * true  # its kappa is `true`
    drawn = np.random.default_rng(7).choice(9, size=(400, n), p=joint.ravel())
    found = [kappa([(str(cell // 3), str(cell % 3)) for cell in sample]) for sample in drawn]
    known = [one for one in found if one.low is not None and one.high is not None]
    held = sum(one.low <= true <= one.high for one in known if one.low is not None and one.high is not None)
    assert at_most(len(known) - held, len(known)) <= 0.1


def test_two_answers_prove_next_to_nothing() -> None:
    found = kappa([("approve", "edit"), ("reject", "reject")])
    assert found.low is not None
    assert found.high is not None
    assert found.low < 0 < 0.8 < found.high


def test_agreement_without_any_difference_says_nothing_beyond_chance() -> None:
    found = kappa([("approve", "approve")] * 12)
    assert (found.kappa, found.n, found.same.value) == (None, 12, 1.0)
    assert kappa([]).kappa is None


def test_full_agreement_and_full_disagreement_are_the_ends() -> None:
    assert kappa([("a", "a"), ("b", "b")]).kappa == 1
    assert kappa([("a", "b"), ("b", "a")]).kappa == -1


@given(st.lists(st.tuples(st.sampled_from("aerx"), st.sampled_from("aerx")), max_size=60))
def test_kappa_does_not_depend_on_who_is_called_first(pairs: list[tuple[str, str]]) -> None:
    one, other = kappa(pairs), kappa([(b, a) for a, b in pairs])
    assert one.kappa == (pytest.approx(other.kappa) if other.kappa is not None else None)
    if one.kappa is not None:
        assert one.low is not None
        assert one.high is not None
        assert -1 <= one.low <= one.kappa + 1e-9
        assert one.kappa - 1e-9 <= one.high <= 1
