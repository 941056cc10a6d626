"""The escalation score: monotone in every part, and read off what triage found."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qa_agents.incidents.schema import Candidate, Incident, Report
from qa_agents.triage.gate.escalation import WEIGHTS, Concern, alarming, escalation_score, is_critical, read_concern
from qa_agents.triage.schema import Fact, Relation, Signals
from qa_agents.triage.severity.rate import load_rubric

PARTS = st.builds(Concern, *[st.floats(0, 1)] * len(Concern._fields))
QUOTE = Fact(name="impact", value="x", quote="session hijack", field="summary", start=0, end=14)


@given(PARTS, st.sampled_from(Concern._fields), st.floats(0, 1))
def test_raising_a_part_never_lowers_the_score(concern: Concern, part: str, more: float) -> None:
    raised = concern._replace(**{part: max(getattr(concern, part), more)})
    assert 0 <= escalation_score(concern) <= escalation_score(raised) <= 1


def test_nothing_is_nothing_and_a_signal_is_enough() -> None:
    assert escalation_score(Concern()) == 0
    assert escalation_score(Concern(signal=1)) == 1
    assert all(0 < weight <= 1 for weight in WEIGHTS)


def near(name: str, severity: str | None, dense: float) -> tuple[Candidate, Incident]:
    return Candidate(incident_id=name, score=1.0, dense=dense), Incident(id=name, summary="x", severity=severity)


def concern(**changes: object) -> Concern:
    values: dict[str, object] = {
        "report": Report(id="R", summary="The list is sorted by id"),
        "signals": Signals(),
        "relations": [],
        "neighbours": [near("A", "Low", 0.8), near("B", "Low", 0.7)],
        **changes,
    }
    return read_concern(**values, rubric=load_rubric(), critical=["critical"])  # type: ignore[arg-type]


def test_the_parts_are_read_off_what_triage_found() -> None:
    calm = concern()
    assert calm == Concern(undetermined=1, unfamiliar=pytest.approx(0.2))
    assert concern(report=Report(id="R", summary="The whole service is down for everybody")).impact == 1
    assert concern(report=Report(id="R", summary="Typo in the footer")).impact < 0.5
    assert concern(signals=Signals(legal=[QUOTE])).signal == 1
    assert concern(relations=[Relation(incident_id="A", kind="regression-of-fixed")]).regression == 1
    assert concern(neighbours=[]).unfamiliar == 1
    assert 0 < concern(neighbours=[near("A", "Critical", 0.8), near("B", "Low", 0.8)]).neighbours < 0.5
    near_critical = concern(neighbours=[near("A", "Critical", 0.95)]).neighbours
    far_critical = concern(neighbours=[near("A", "Critical", 0.4)]).neighbours
    assert near_critical > far_critical > 0


@pytest.mark.parametrize("name", ["security", "privacy", "data_loss", "money", "legal", "injection"])
def test_every_signal_that_blocks_alarms(name: str) -> None:
    assert alarming(Signals.model_validate({name: [QUOTE]}))
    assert not alarming(Signals())


def test_critical_is_what_the_team_calls_so_in_either_field() -> None:
    assert is_critical(Incident(id="A", summary="x", priority="P1"), ["p1"])
    assert is_critical(Incident(id="A", summary="x", severity="S1"), ["S1", "S2"])
    assert not is_critical(Incident(id="A", summary="x", severity="S3"), ["S1", "S2"])
