"""Reliability curves: their shape and their counts."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qa_agents.triage.calibrate import MIN_BLOCK, Curve, fit_reliability

CASES = st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=300)


def fit(cases: list[tuple[float, bool]], min_block: int = MIN_BLOCK) -> Curve:
    return fit_reliability([score for score, _ in cases], [hit for _, hit in cases], min_block)


@given(CASES, st.integers(1, 40))
def test_rates_never_fall_with_the_score_and_stay_between_0_and_1(
    cases: list[tuple[float, bool]], min_block: int
) -> None:
    curve = fit(cases, min_block)
    rates = [curve.predict(step / 50).probability for step in range(-5, 60)]
    assert rates == sorted(rates)
    assert all(0.0 <= rate <= 1.0 for rate in rates)


@given(CASES)
def test_the_curve_averages_to_the_share_of_hits(cases: list[tuple[float, bool]]) -> None:
    curve = fit(cases)
    predicted = sum(curve.predict(score).probability for score, _ in cases)
    assert predicted == pytest.approx(sum(hit for _, hit in cases))
    assert curve.n == len(cases)


@given(CASES, st.integers(1, 40))
def test_no_step_rests_on_fewer_cases_than_asked(cases: list[tuple[float, bool]], min_block: int) -> None:
    curve = fit(cases, min_block)
    assert all(block.n >= min(min_block, len(cases)) for block in curve.blocks)


@given(CASES)
def test_the_order_of_the_cases_does_not_matter(cases: list[tuple[float, bool]]) -> None:
    shuffled = list(cases)
    random.Random(7).shuffle(shuffled)
    assert fit(shuffled) == fit(cases)


@given(CASES)
def test_a_curve_survives_json(cases: list[tuple[float, bool]]) -> None:
    curve = fit(cases)
    assert Curve.model_validate_json(curve.model_dump_json()) == curve


def test_pooling_joins_what_violates_the_order() -> None:
    curve = fit([(0.1, False), (0.2, True), (0.3, False), (0.4, True)], min_block=1)
    assert [(block.low, block.kept, block.n) for block in curve.blocks] == [(0.1, 0, 1), (0.2, 1, 2), (0.4, 1, 1)]


def test_cases_of_one_score_share_one_rate() -> None:
    curve = fit([(0.5, True), (0.5, False), (0.5, True), (0.5, False)], min_block=1)
    assert curve.predict(0.5) == (0.5, 2, 4)


def test_a_strength_between_two_steps_gets_the_weaker_ones_rate() -> None:
    curve = fit([(0.2, False)] * 20 + [(0.8, True)] * 20)
    assert curve.predict(0.79) == (0.0, 0, 20)
    assert curve.predict(0.8) == (1.0, 20, 20)
    assert curve.predict(0.0).probability == 0.0


@pytest.mark.parametrize(("scores", "hits"), [([], []), ([0.5], []), ([0.1, 0.2], [True])])
def test_nothing_to_fit_is_refused(scores: list[float], hits: list[bool]) -> None:
    with pytest.raises(ValueError, match="equally many"):
        fit_reliability(scores, hits)


def test_a_score_is_right_as_often_as_its_curve_says() -> None:
    chance = random.Random(1)
    cases = [(score, chance.random() < score**2) for score in (chance.random() for _ in range(4_000))]
    curve = fit(cases[:2_000])
    gaps = []
    for low in range(0, 10, 2):
        held_out = [(s, hit) for s, hit in cases[2_000:] if low / 10 <= s < (low + 2) / 10]
        said = sum(curve.predict(s).probability for s, _ in held_out) / len(held_out)
        gaps.append(abs(said - sum(hit for _, hit in held_out) / len(held_out)))
    assert max(gaps) < 0.08
