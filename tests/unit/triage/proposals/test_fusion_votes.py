"""The vote, the habits, and how witnesses become one probability."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qa_agents.triage.proposals.fusion import Beta, fit_beta, fit_fusion, heard, probabilities
from qa_agents.triage.proposals.habits import Habits
from qa_agents.triage.proposals.hierarchy import children, parent_of, sums
from qa_agents.triage.proposals.votes import ELECTORATES, cast, closeness, tally


def test_the_closer_and_the_fresher_vote_weighs_more() -> None:
    for electorate in ELECTORATES:
        near = cast(np.array([0.8, 0.6]), np.array([1.0, 1.0]), np.ones(2), electorate)
        fresh = cast(np.array([0.8, 0.8]), np.array([1.0, 400.0]), np.ones(2), electorate)
        assert near[0] > near[1]
        assert fresh[0] > fresh[1]


def test_an_incident_of_another_product_weighs_less_and_still_something() -> None:
    ours, theirs = cast(np.array([0.8, 0.8]), np.zeros(2), np.array([1.0, 0.0]), ELECTORATES[0])
    assert 0 < theirs < ours


def test_without_a_vector_words_alone_tell_how_close() -> None:
    assert closeness(np.array([0.4, 0.4]), np.array([np.nan, 0.9])).tolist() == pytest.approx([0.4, 0.7])


@given(st.lists(st.tuples(st.lists(st.sampled_from("ABC"), unique=True, max_size=2), st.floats(0, 1)), max_size=8))
def test_shares_stay_between_0_and_1(ballots: list[tuple[list[str], float]]) -> None:
    shared = tally(ballots, ["A", "B", "C"])
    assert (shared >= 0).all()
    assert shared.sum() <= 1 + 1e-9


def test_nobody_voting_gives_no_share() -> None:
    assert tally([], ["A"]).tolist() == [0.0]


def test_a_witness_leaves_something_to_labels_it_does_not_know() -> None:
    said = np.exp(heard(np.log(np.array([0.7, 0.3], np.float32)), 3, [0, 2]))
    assert said.sum() == pytest.approx(1.0)
    assert 0 < said[1] < said[2] < said[0]


def test_the_witness_that_is_right_is_believed() -> None:
    random = np.random.default_rng(0)
    truth = random.integers(0, 3, 400)
    right = np.eye(3, dtype=bool)[truth]
    good = np.log(np.where(right, 0.8, 0.1))
    noise = np.log(random.dirichlet(np.ones(3), 400))
    weights = fit_fusion(np.stack([good, noise], axis=2), right, ["text", "close"])
    assert weights[0] > 0.5 > abs(weights[1])


def test_a_label_none_was_trained_on_can_win() -> None:
    said = np.array([[[np.log(0.01), np.log(0.9)], [np.log(0.5), np.log(0.05)]]])
    assert probabilities(said, np.array([0.3, 1.0]))[0].argmax() == 0


@given(st.integers(0, 1_000))
def test_beta_calibration_never_turns_the_order(seed: int) -> None:
    random = np.random.default_rng(seed)
    said = random.random(60)
    beta = fit_beta(said, random.random(60) < said**2)
    told = [beta(p) for p in np.linspace(0, 1, 21)]
    assert told == sorted(told)
    assert all(0 <= p <= 1 for p in told)


def test_beta_calibration_corrects_what_is_too_sure() -> None:
    random = np.random.default_rng(1)
    said = random.random(4_000)
    beta = fit_beta(said, random.random(4_000) < 0.5 * said)
    assert beta(0.9) == pytest.approx(0.45, abs=0.05)
    assert Beta()(0.3) == pytest.approx(0.3)


def test_a_habit_of_one_reporter_lifts_his_label_only() -> None:
    habits = Habits(np.array([0.5, 0.5]), {"reporter": {"ana": {0: 10.0}}})
    lift = habits.lift("reporter", "ana")
    assert lift[0] > 0 > lift[1]
    assert habits.lift("reporter", "unknown").tolist() == [0.0, 0.0]
    assert habits.lift("reporter", None).tolist() == [0.0, 0.0]


@pytest.mark.parametrize(
    ("label", "above"),
    [
        ("Mobile / Android", "Mobile"),
        ("Mobile - Android", "Mobile"),
        ("core::net::http", "core::net"),
        ("A > B > C", "A > B"),
        ("Payments", None),
        ("read/write", None),
        ("e-mail", None),
        ("/ B", None),
        ("", None),
    ],
)
def test_the_parent_is_read_from_the_name(label: str, above: str | None) -> None:
    assert parent_of(label) == above


def test_a_parent_sums_its_children_only_where_the_team_uses_it() -> None:
    ranked = [("Mobile / Android", 0.4), ("Mobile / iOS", 0.35), ("Mobile", 0.1), ("Web / Shop", 0.15)]
    assert sums(ranked) == {"Mobile": pytest.approx(0.85)}
    assert children("Mobile", [name for name, _ in ranked]) == ["Mobile / Android", "Mobile / iOS"]


@given(st.text(max_size=60))
def test_any_name_has_a_shorter_parent_or_none(label: str) -> None:
    above = parent_of(label)
    assert above is None or len(above) < len(label)
