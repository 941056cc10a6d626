"""The scorers against cases that can be counted by hand."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evals.scorers.calibration import (
    adaptive_bins,
    aurc,
    brier,
    coverage_at,
    expected_calibration_error,
    risk_coverage,
)
from evals.scorers.labels import confusion, macro_f1, top_k_hits
from evals.scorers.ranking import average_precision, hits_at, rank_of, reciprocal_ranks


def test_the_rank_is_that_of_the_first_right_answer() -> None:
    assert rank_of(["a", "b", "c"], {"c", "b"}) == 2
    assert rank_of(["a"], {"z"}) is None


def test_recall_and_reciprocal_ranks_count_what_is_within_the_cut() -> None:
    ranks = [1, 3, None, 30]
    assert hits_at(ranks, 1) == [True, False, False, False]
    assert hits_at(ranks, 3) == [True, True, False, False]
    assert reciprocal_ranks(ranks) == [1.0, 1 / 3, 0.0, 0.0]


def test_average_precision_is_the_mean_precision_at_the_relevant_ones() -> None:
    assert average_precision([4, 3, 2, 1], [True, False, True, False]) == pytest.approx((1 + 2 / 3) / 2)


def test_equal_scores_count_together_whatever_their_order() -> None:
    first, second = (
        average_precision([1, 1, 0], [True, False, False]),
        average_precision([1, 1, 0], [False, True, False]),
    )
    assert first == second == pytest.approx(0.5)


def test_average_precision_without_anything_relevant_is_zero() -> None:
    assert average_precision([1.0, 2.0], [False, False]) == 0.0


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=60))
def test_average_precision_is_a_rate_and_never_below_all_equal_scores_by_chance_alone(
    cases: list[tuple[float, bool]],
) -> None:
    scores, relevant = [score for score, _ in cases], [hit for _, hit in cases]
    assert 0.0 <= average_precision(scores, relevant) <= 1.0
    assert average_precision([0.0] * len(cases), relevant) == pytest.approx(sum(relevant) / len(cases))


def test_top_k_asks_for_one_true_label_among_the_first_k() -> None:
    assert top_k_hits([["a", "b"], [], ["c"]], [{"b"}, {"a"}, {"c", "d"}], 1) == [False, False, True]
    assert top_k_hits([["a", "b"], [], ["c"]], [{"b"}, {"a"}, {"c", "d"}], 2) == [True, False, True]


def test_macro_f1_gives_each_true_label_the_same_weight() -> None:
    true, said = ["a", "a", "a", "b"], ["a", "a", "b", None]
    assert macro_f1(said, true) == pytest.approx((2 * 2 / (2 + 3) + 0) / 2)


def test_always_naming_the_majority_pays_little_in_macro_f1() -> None:
    true = ["common"] * 98 + ["rare", "other"]
    assert macro_f1(["common"] * 100, true) == pytest.approx((2 * 98 / 198) / 3)


def test_macro_f1_without_cases_is_zero() -> None:
    assert macro_f1([], []) == 0.0


def test_confusion_counts_undetermined_under_the_empty_name() -> None:
    assert confusion(["a", None, "b"], ["a", "a", "b"]) == {"a": {"a": 1, "": 1}, "b": {"b": 1}}


def test_bins_hold_equally_many_cases() -> None:
    bins = adaptive_bins([0.1, 0.2, 0.3, 0.4], [0, 0, 1, 1], bins=2)
    assert [(part.n, part.kept) for part in bins] == [(2, 0.0), (2, 1.0)]
    assert bins[0].said == pytest.approx(0.15)


def test_calibration_error_is_the_weighted_distance() -> None:
    assert expected_calibration_error([0.9] * 10, [1] * 9 + [0], bins=1) == pytest.approx(0.0)
    assert expected_calibration_error([0.9] * 10, [0] * 10, bins=1) == pytest.approx(0.9)
    assert expected_calibration_error([], []) == 0.0


def test_brier_is_the_mean_squared_distance() -> None:
    assert brier([1.0, 0.5], [1, 0]) == pytest.approx(0.125)
    assert brier([], []) == 0.0


def test_risk_over_coverage_answers_the_surest_first_and_ties_together() -> None:
    assert risk_coverage([0.9, 0.5, 0.5], [1, 0, 1]) == [(pytest.approx(1 / 3), 0.0), (1.0, pytest.approx(1 / 3))]
    assert risk_coverage([], []) == []


def test_what_was_never_answered_lowers_the_coverage() -> None:
    assert risk_coverage([0.9], [1], total=4) == [(0.25, 0.0)]


def test_coverage_at_an_accuracy_is_the_longest_such_start() -> None:
    sure, right = [0.9, 0.8, 0.7, 0.6], [1, 0, 1, 1]
    assert coverage_at(sure, right, 1.0) == pytest.approx(0.25)
    assert coverage_at(sure, right, 0.75) == 1.0
    assert coverage_at(sure, [0, 0, 0, 0], 0.5) == 0.0


def test_aurc_rewards_sure_answers_that_are_right() -> None:
    assert aurc([0.9, 0.1], [1, 0]) == pytest.approx(0.25)
    assert aurc([0.1, 0.9], [1, 0]) == pytest.approx(0.75)


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=80))
def test_calibration_figures_stay_between_0_and_1(cases: list[tuple[float, bool]]) -> None:
    sure, right = [p for p, _ in cases], [hit for _, hit in cases]
    for value in (expected_calibration_error(sure, right), brier(sure, right), aurc(sure, right)):
        assert 0.0 <= value <= 1.0 + 1e-12
    assert sum(part.n for part in adaptive_bins(sure, right)) == len(cases)
