"""The vote of the neighbours: values, silence, evidence, and who may be proposed."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qa_agents.incidents.schema import Candidate, Incident, Report
from qa_agents.triage.classify import (
    MAX_ALTERNATIVES,
    MIN_DENSE,
    VOTED,
    classify,
    near_enough,
    tally,
    title,
    vote_weight,
)

NOW = datetime(2024, 6, 1, tzinfo=UTC)
REPORT = Report(id="R-1", summary="Checkout fails with a timeout", created=NOW, product="SHOP")


def neighbour(
    name: str, dense: float | None = 0.7, lexical: float | None = None, days: float = 30, **fields: Any
) -> tuple[Candidate, Incident]:
    fields = {"summary": f"About {name}", "product": "SHOP", "created": NOW - timedelta(days=days), **fields}
    return Candidate(incident_id=name, score=dense or 0.0, dense=dense, lexical=lexical), Incident(id=name, **fields)


def resolved(name: str, assignee: str, ago: float, **more: Any) -> tuple[Candidate, Incident]:
    """A neighbour that `assignee` resolved `ago` days before the report."""
    return neighbour(name, assignee=assignee, resolution="Fixed", resolved=NOW - timedelta(days=ago), **more)


def test_the_label_most_similar_incidents_carry_is_proposed_with_them_as_evidence() -> None:
    neighbours = [
        neighbour("A", 0.9, component="Payments"),
        neighbour("B", 0.8, component="Payments"),
        neighbour("C", 0.7, component="Search"),
    ]
    proposal = classify(REPORT, neighbours, NOW)["component"]
    assert proposal.value == "Payments"
    assert [(e.kind, e.ref, e.text) for e in proposal.evidence] == [
        ("incident", "A", "A: About A"),
        ("incident", "B", "B: About B"),
    ]
    assert [(e.ref, e.text) for e in proposal.against] == [("C", "component Search in C: About C")]
    assert [a.value for a in proposal.alternatives] == ["Search"]


def test_every_field_this_module_owns_is_answered_and_no_other() -> None:
    assert set(classify(REPORT, [], NOW)) == set(VOTED)


def test_a_bare_vote_shows_no_probability() -> None:
    neighbours = [neighbour(name, component="Payments") for name in "ABC"]
    for proposal in classify(REPORT, neighbours, NOW).values():
        assert proposal.probability is None
        assert all(alternative.probability is None for alternative in proposal.alternatives)


def test_no_neighbours_is_undetermined_and_says_so() -> None:
    proposal = classify(REPORT, [], NOW)["component"]
    assert proposal.value is None
    assert proposal.against[0].text == "No past incident resembles this report."


def test_neighbours_below_the_floor_support_nothing_and_the_nearest_is_named() -> None:
    neighbours = [neighbour("A", MIN_DENSE - 0.05, component="Payments"), neighbour("B", 0.1, component="Payments")]
    proposal = classify(REPORT, neighbours, NOW)["component"]
    assert proposal.value is None
    assert "A, is too far away (cosine 0.30" in proposal.against[0].text


def test_a_field_nobody_filled_is_undetermined() -> None:
    proposal = classify(REPORT, [neighbour("A"), neighbour("B")], NOW)["priority"]
    assert proposal.value is None
    assert proposal.against[0].text == "None of the incidents near this report has a priority."


def test_a_lone_supporter_with_rivals_as_near_is_undetermined_but_the_candidates_are_shown() -> None:
    neighbours = [neighbour(n, 0.7, component=c) for n, c in (("A", "Payments"), ("B", "Search"), ("C", "Login"))]
    proposal = classify(REPORT, neighbours, NOW)["component"]
    assert proposal.value is None
    assert proposal.against[0].text == "Only C speaks for Login, hardly stronger than what speaks for Payments."
    assert {a.value for a in proposal.alternatives} == {"Payments", "Search", "Login"}


def test_a_lone_but_unrivalled_supporter_is_enough() -> None:
    assert classify(REPORT, [neighbour("A", 0.9, component="Payments")], NOW)["component"].value == "Payments"


def test_an_incident_of_several_components_votes_for_each() -> None:
    neighbours = [
        neighbour("A", 0.7, components=["UI", "Payments"]),
        neighbour("B", 0.7, components=["Payments", "API"]),
    ]
    result = tally(REPORT, neighbours, "component", NOW)
    assert result[0].label == "Payments"
    assert {t.label for t in result} == {"UI", "Payments", "API"}


def test_an_incident_that_carries_the_winner_too_is_not_evidence_against_it() -> None:
    neighbours = [neighbour("A", components=["Payments", "UI"]), neighbour("B", component="Payments")]
    assert classify(REPORT, neighbours, NOW)["component"].against == []


def test_incidents_of_the_same_product_outvote_closer_ones_of_another() -> None:
    neighbours = [
        neighbour("A", 0.80, component="Kernel", product="OS"),
        neighbour("B", 0.78, component="Kernel", product="OS"),
        neighbour("C", 0.70, component="Payments"),
    ]
    assert classify(REPORT, neighbours, NOW)["component"].value == "Payments"


def test_a_label_out_of_use_loses_to_one_in_use() -> None:
    old = [neighbour(f"O{i}", 0.75, component="Legacy", days=800) for i in range(3)]
    new = [neighbour(f"N{i}", 0.70, component="Payments", days=20) for i in range(2)]
    assert classify(REPORT, [*old, *new], NOW)["component"].value == "Payments"


def test_the_trust_hook_lets_a_persons_label_outweigh_others() -> None:
    neighbours = [*(neighbour(n, 0.7, type="Task") for n in "ABC"), neighbour("H", 0.7, type="Bug")]
    assert classify(REPORT, neighbours, NOW)["type"].value == "Task"
    trusting = classify(REPORT, neighbours, NOW, trust=lambda incident: 9.0 if incident.id == "H" else 1.0)
    assert trusting["type"].value == "Bug"


def test_an_assignee_is_taken_only_from_incidents_resolved_by_then() -> None:
    unresolved = neighbour("A", 0.9, assignee="ann")
    later = resolved("B", "bob", -5)
    done = resolved("C", "cleo", 5, dense=0.6)
    assert classify(REPORT, [unresolved, later, done], NOW)["assignee"].value == "cleo"
    assert classify(REPORT, [unresolved, later], NOW)["assignee"].value is None


def test_a_person_not_seen_for_half_a_year_is_never_proposed() -> None:
    neighbours = [resolved("A", "gone", 300, dense=0.9, days=310), resolved("B", "gone", 250, dense=0.9, days=310)]
    proposal = classify(REPORT, neighbours, NOW)["assignee"]
    assert proposal.value is None
    assert proposal.alternatives == []
    assert "still active" in proposal.against[0].text


def test_a_person_seen_elsewhere_lately_may_be_proposed() -> None:
    neighbours = [resolved("A", "ann", 300, days=310), resolved("B", "ann", 250, days=310)]
    seen = {"ann": NOW - timedelta(days=3)}
    assert classify(REPORT, neighbours, NOW, last_seen=seen)["assignee"].value == "ann"


def test_the_lexical_ratio_votes_where_no_vectors_were_compared() -> None:
    neighbours = [neighbour("A", None, 0.6, component="Payments"), neighbour("B", None, 0.2, component="UI")]
    assert classify(REPORT, neighbours, NOW)["component"].value == "Payments"


@pytest.mark.parametrize("extreme", [-1.0, 1.0000001, 7.0, float("nan")])
def test_odd_similarities_stay_within_bounds(extreme: float) -> None:
    assert 0.0 <= vote_weight(Candidate(incident_id="A", score=0, dense=extreme)) <= 1.0
    assert 0.0 <= vote_weight(Candidate(incident_id="A", score=0, lexical=extreme)) <= 1.0


def test_a_candidate_without_any_similarity_is_not_near() -> None:
    assert not near_enough(Candidate(incident_id="A", score=1.0))


def test_an_undated_neighbour_counts() -> None:
    candidate, incident = neighbour("A", 0.9, component="Payments", created=None)
    assert classify(REPORT, [(candidate, incident)], NOW)["component"].value == "Payments"


def test_a_title_is_one_short_line() -> None:
    shown = title(Incident(id="A", summary="first\nsecond " + "x" * 100_000))
    assert "\n" not in shown
    assert len(shown) < 130
    assert shown.endswith("…")


@given(
    st.lists(
        st.tuples(st.floats(-1, 1), st.sampled_from(["a", "b", "c", "d", "e", "f", "g"]), st.integers(0, 1500)),
        max_size=30,
    )
)
def test_scores_are_shares_and_the_winner_leads(rows: list[tuple[float, str, int]]) -> None:
    neighbours = [neighbour(f"N{k}", d, component=c, days=days) for k, (d, c, days) in enumerate(rows)]
    result = tally(REPORT, neighbours, "component", NOW)
    assert [t.score for t in result] == sorted((t.score for t in result), reverse=True)
    assert sum(t.score for t in result) < 1.0
    proposal = classify(REPORT, neighbours, NOW)["component"]
    assert proposal.value in {None, result[0].label if result else None}
    assert len(proposal.alternatives) <= MAX_ALTERNATIVES
    assert bool(proposal.against) or proposal.value is not None
