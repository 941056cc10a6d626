"""The suite of proposals: masks what was not known, measures everybody alike, and sees that we beat the majority."""

from datetime import timedelta

import pytest

from evals.data import Dataset
from evals.suites.proposals import SYSTEM, VARIANTS, known_at, proposals_report, run_proposals, truth_of
from qa_agents.errors import UnavailableError
from qa_agents.incidents.schema import Incident
from tests.unit.triage.proposals.conftest import START, invented_past

MONTH = timedelta(days=30)


def dataset(incidents: list[Incident]) -> Dataset:
    return Dataset("invented", incidents, "0" * 64, "own", checked=False)


def test_before_the_closing_neither_outcome_nor_label_is_known() -> None:
    incident = next(i for i in invented_past(50) if i.resolved)
    assert incident.created
    masked = known_at(incident, incident.created, "resolved")
    assert (masked.component, masked.components, masked.type, masked.assignee, masked.resolution) == (
        None,
        [],
        None,
        None,
        None,
    )
    shown = known_at(incident, incident.created, "filed")
    assert (shown.component, shown.assignee, shown.resolved) == (incident.component, None, None)
    assert incident.resolved
    assert known_at(incident, incident.resolved, "resolved") is incident


def test_every_component_of_a_report_is_right_and_the_first_leads() -> None:
    assert truth_of(Incident(id="A", summary="a", components=["UI", "API"]), "component") == ["UI", "API"]
    assert truth_of(Incident(id="A", summary="a"), "assignee") == []


def test_the_system_is_measured_beside_peers_and_beats_the_majority() -> None:
    found = run_proposals(dataset(invented_past(330)), START + 4 * MONTH, None, variants=VARIANTS[1:2])
    component = next(field for field in found.variants[0].fields if field.field == "component")
    scores = {score.who: score for score in component.scores}
    assert set(scores) == {SYSTEM, "majority", "neighbours' vote (TF-IDF)", "TF-IDF + linear"}
    assert scores[SYSTEM].n == found.reports == 90
    assert scores[SYSTEM].top1.low > scores["majority"].top1.high
    assert scores["majority"].lead
    assert scores["majority"].lead.low > 0
    assert sum(part.n for part in component.reliability) == 90
    assert all(0 <= risk <= 1 for _, risk in component.risk_coverage)
    report = proposals_report(found)
    assert "| component | qa-agents" in report
    assert "| priority" in report


def test_nothing_before_the_start_is_said_so() -> None:
    with pytest.raises(UnavailableError, match="no reports before and after"):
        run_proposals(dataset(invented_past(50)), START, None)
