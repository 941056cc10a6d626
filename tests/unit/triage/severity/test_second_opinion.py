"""Severity beside its second opinion, the reporter's choice and a fixed bug that is back."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qa_agents.incidents.schema import Candidate, Incident, Report
from qa_agents.triage.calibrate import Rate
from qa_agents.triage.facts.signals import find_signals
from qa_agents.triage.schema import HABIT, Proposal, Relation
from qa_agents.triage.severity.factors import Factor, read_factors
from qa_agents.triage.severity.model import Opinion
from qa_agents.triage.severity.rate import rate_severity
from qa_agents.triage.severity.rubric import load_rubric
from qa_agents.triage.severity.scale import Scale, scaled

WORDS = ("Critical", "High", "Medium", "Low")
RUBRIC = load_rubric()


def rate(summary: str, description: str = "", extra: dict[str, Any] | None = None, **more: Any) -> Proposal:
    report = Report(id="R-1", summary=summary, description=description, **(extra or {}))
    return rate_severity(report, [], find_signals(report, []), more.pop("near", []), RUBRIC, WORDS, **more)


def opinion(*probabilities: float) -> Opinion:
    level = 1 + probabilities.index(max(probabilities))
    return Opinion(level, probabilities, Rate(0.6, 60, 100))


def refs(proposal: Proposal) -> set[str]:
    return {evidence.ref for evidence in [*proposal.evidence, *proposal.against]}


def test_an_agreeing_opinion_is_shown_and_changes_nothing() -> None:
    proposal = rate("The booking page crashes", opinion=opinion(0.1, 0.6, 0.2, 0.1))
    assert proposal.value == "High"
    assert "right in 60 of 100 past cases" in next(e.text for e in proposal.evidence if e.ref == "severity-model")


@pytest.mark.parametrize(
    ("summary", "probabilities"),
    [("The booking page crashes", (0.0, 0.1, 0.2, 0.7)), ("Typo in the booking title", (0.4, 0.4, 0.1, 0.1))],
)
def test_an_opinion_two_levels_away_asks_and_shows_both(summary: str, probabilities: tuple[float, ...]) -> None:
    proposal = rate(summary, opinion=opinion(*probabilities))
    assert proposal.value is None
    assert len(proposal.alternatives) == 2
    assert proposal.against[0].ref == "rubric/opinion"


def test_the_opinion_never_lowers_what_the_rubric_evidences() -> None:
    for probabilities in ((0.0, 0.0, 0.0, 1.0), (0.1, 0.2, 0.6, 0.1), (0.25, 0.25, 0.25, 0.25)):
        assert rate("The booking page crashes", opinion=opinion(*probabilities)).value in (None, "High")


def test_without_an_evidenced_impact_the_teams_habit_is_proposed_as_what_it_is() -> None:
    proposal = rate("Question about vouchers", opinion=opinion(0.1, 0.2, 0.6, 0.1))
    assert (proposal.value, proposal.probability, proposal.kept, proposal.cases) == ("Medium", 0.6, 60, 100)
    assert proposal.evidence[0].ref == HABIT
    assert "habit" in proposal.evidence[0].text
    assert proposal.against[0].ref == "rubric/impact"
    assert "unknown: impact, reach" in proposal.against[0].text


def test_a_habit_is_not_proposed_against_a_far_choice_of_the_reporter() -> None:
    proposal = rate("Question about vouchers", extra={"severity": "Critical"}, opinion=opinion(0.1, 0.1, 0.2, 0.6))
    assert proposal.value is None
    assert proposal.against[0].ref == "rubric/reporter"
    assert {alternative.value for alternative in proposal.alternatives} == {"Low", "Critical"}


def test_what_was_measured_for_the_likeliest_level_is_not_told_of_another() -> None:
    rare = opinion(0.3, 0.1, 0.4, 0.2)._replace(level=1)
    proposal = rate("Question about vouchers", opinion=rare)
    assert (proposal.value, proposal.probability, proposal.kept) == ("Critical", 0.3, None)


OFTEN_HIGH = Scale(((0,) * 4, (0, 60, 0, 0), (10, 160, 60, 20), (0,) * 4))


def test_a_level_that_people_do_not_share_is_brought_to_the_teams_own_scale_and_shown() -> None:
    told = opinion(0.1, 0.6, 0.2, 0.1)._replace(scale=OFTEN_HIGH)
    proposal = rate("The total is not updated", opinion=told)
    assert (proposal.value, proposal.probability) == ("High", 0.6)
    assert "Medium" in {alternative.value for alternative in proposal.alternatives}
    shown = next(e.text for e in proposal.evidence if e.ref == "rubric/scale")
    assert "of 250 past reports with such factors people called Critical in 10, High in 160, Medium in 60" in shown


def test_a_level_that_people_share_or_few_labels_tell_of_stands() -> None:
    near = opinion(0.1, 0.3, 0.6, 0.0)
    assert rate("The booking page crashes", opinion=near._replace(scale=OFTEN_HIGH)).value == "High"
    assert rate("The total is not updated", opinion=opinion(0.1, 0.6, 0.2, 0.1)).value == "Medium"


@given(st.integers(1, 4), st.integers(1, 4), st.integers(1, 4), st.sampled_from(["crash", "data loss", "degraded"]))
def test_the_scale_moves_at_most_one_level_rises_with_the_rubric_and_never_lowers_a_crash_or_loss(
    first: int, second: int, said: int, impact: str
) -> None:
    factors = {"impact": Factor(name="impact", value=impact)}
    low, high = (scaled(level, said, factors, RUBRIC) for level in sorted((first, second)))
    assert low <= high
    assert abs(scaled(first, said, factors, RUBRIC) - first) <= 1
    if impact != "degraded":
        assert scaled(first, said, factors, RUBRIC) <= first


def test_the_reporters_choice_is_shown_and_two_levels_away_it_asks() -> None:
    near = rate("The booking page crashes", extra={"severity": "critical"})
    assert near.value == "High"
    assert "Critical" in {alternative.value for alternative in near.alternatives}
    far = rate("The booking page crashes", extra={"priority": "Low"})
    assert far.value is None
    assert far.against[0].ref == "rubric/reporter"
    assert "reporter" not in refs(rate("The booking page crashes", extra={"severity": "purple", "priority": 3}))


def test_a_fixed_bug_that_is_back_is_one_level_more_severe_and_names_the_fix() -> None:
    relation = Relation(incident_id="WKB-7", kind="regression-of-fixed", summary="Totals are not updated")
    fixed = Incident(id="WKB-7", summary="Totals are not updated", resolution="Fixed", fix_version="4.2.0")
    near = [(Candidate(incident_id="WKB-7", score=1.0), fixed)]
    assert rate("The total is not updated", near=near).value == "Medium"
    again = rate("The total is not updated", near=near, regression=relation)
    assert again.value == "High"
    assert any("WKB-7 was fixed in 4.2.0" in evidence.text for evidence in again.evidence)
    # What the report says of a regression itself is not added on top.
    assert rate("The total is not updated", "It is a regression.", near=near, regression=relation).value == "High"


def test_what_the_report_states_too_is_an_alternative_with_its_quote() -> None:
    proposal = rate("Typo in the booking title", "After that the app crashes.")
    assert proposal.value == "Low"
    assert "High" in {alternative.value for alternative in proposal.alternatives}
    assert any(e.kind == "quote" and "crashes" in e.text for e in proposal.against)


def test_factors_that_are_not_said_are_named() -> None:
    text = next(e.text for e in rate("The booking page crashes").evidence if e.ref == "rubric/unknown")
    assert "reach" in text
    assert "workaround" in text


def test_a_denied_value_is_not_stated_even_as_an_alternative() -> None:
    report = Report(id="R", summary="The list is not updated", description="It does not crash.")
    found = read_factors(report, find_signals(report, []), RUBRIC)["impact"]
    assert "crash" not in {found.value, *(stated.value for stated in found.also)}


def test_drift_is_told_beside_a_severe_proposal_only() -> None:
    assert "inflation" in refs(rate("The booking page crashes", drift="More often than before."))
    assert "inflation" not in refs(rate("Typo in the title", drift="More often than before."))
