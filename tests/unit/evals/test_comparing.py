"""Comparisons: adjusted for one another, quiet where nothing changed, loud where something broke."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evals.baseline import compare
from evals.stats import alarm_rate, detectable_drop, holm, minimum_detectable_change, paired_bootstrap, paired_mean

CASES = np.array([1.0] * 250 + [0.0] * 77)
"""As many as there are duplicates in the development data."""


def alarm(before: np.ndarray, now: np.ndarray) -> bool:
    """The decision that the gate takes on a baseline."""
    names = [str(n) for n in range(before.size)]
    return compare("m", dict(zip(names, before, strict=True)), dict(zip(names, now, strict=True))).state == "broken"


def test_holm_multiplies_the_smallest_by_their_number_and_never_turns_back() -> None:
    assert holm([0.01, 0.04, 0.03]) == [pytest.approx(0.03), pytest.approx(0.06), pytest.approx(0.06)]
    assert holm([0.5, 0.9]) == [1.0, 1.0]
    assert holm([]) == []


@given(st.lists(st.floats(0, 1), max_size=20))
def test_holm_only_raises_and_keeps_the_order(p_values: list[float]) -> None:
    adjusted = holm(p_values)
    assert all(p <= a <= 1.0 for p, a in zip(p_values, adjusted, strict=True))
    order = sorted(range(len(p_values)), key=lambda i: p_values[i])
    assert [adjusted[i] for i in order] == sorted(adjusted)


def test_the_fast_paired_bootstrap_agrees_with_the_plain_one() -> None:
    rng = np.random.default_rng(5)
    ours, theirs = rng.random(200) < 0.7, rng.random(200) < 0.6
    fast, p = paired_mean(ours, theirs)
    plain = paired_bootstrap(ours, theirs)
    assert fast.value == pytest.approx(plain.value)
    assert (fast.low, fast.high) == (pytest.approx(plain.low, abs=0.01), pytest.approx(plain.high, abs=0.01))
    assert 0.0 < p <= 1.0


def test_equal_samples_differ_by_nothing() -> None:
    found, p = paired_mean([0.5, 0.25, 1.0], [0.5, 0.25, 1.0])
    assert (found.value, found.low, found.high, p) == (0.0, 0.0, 0.0, 1.0)


def test_samples_of_different_cases_are_refused() -> None:
    with pytest.raises(ValueError, match="not the same cases"):
        paired_mean([1.0], [1.0, 0.0])


def test_870_cases_with_a_tenth_discordant_show_three_points() -> None:
    """The published rule of thumb: 3 points at 80 % power take 870 cases when a tenth of them differ."""
    differences = np.zeros(870)
    differences[:57], differences[57:87] = 1.0, -1.0
    assert minimum_detectable_change(differences) == pytest.approx(0.03, abs=0.001)
    assert minimum_detectable_change([1.0]) == float("inf")


def test_the_same_system_twice_is_quiet_in_at_least_95_of_100_runs() -> None:
    assert alarm_rate(alarm, CASES, rounds=1_000, seed=11) <= 0.05


def test_a_planted_drop_as_large_as_the_stated_one_is_found_in_at_least_80_of_100_runs() -> None:
    flip = 0.1
    drop = detectable_drop(CASES.size, discordant=2 * flip * 77 / CASES.size)
    assert 0.04 < drop < 0.06
    assert alarm_rate(alarm, CASES, drop=drop, flip=flip, rounds=1_000, seed=12) >= 0.80
    assert alarm_rate(alarm, CASES, drop=2 * drop, flip=flip, rounds=200, seed=13) >= 0.99


def test_without_noise_and_without_cases_the_detectable_drop_has_its_limits() -> None:
    assert detectable_drop(0, 0.1) == 1.0
    assert detectable_drop(1_000_000, 0.0) < 1e-5
    assert detectable_drop(300, 0.2) > detectable_drop(300, 0.1) > detectable_drop(3_000, 0.1)


def test_only_what_is_broken_beyond_the_bound_counts() -> None:
    names = [str(n) for n in range(100)]
    before = dict.fromkeys(names, 1.0)
    some = compare("m", before, {**before, "0": 0.0})
    many = compare("m", before, {**before, **dict.fromkeys(names[:10], 0.0)})
    assert (some.state, some.broken, some.fixed) == ("unchanged", 1, 0)
    assert (many.state, many.broken) == ("broken", 10)
    assert compare("m", dict.fromkeys(names, 0.0), before).state == "fixed"


def test_too_few_cases_in_common_are_not_compared() -> None:
    assert compare("m", {"a": 1.0}, {"a": 0.0}).state == "not compared"
