"""What is fitted on an invented past: right, calibrated, blind to the future, the same after being stored."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pytest

from qa_agents.errors import StorageError
from qa_agents.incidents.schema import Candidate, Incident, Report
from qa_agents.triage.proposals.fit import MIN_OUTCOMES, fit_proposals
from qa_agents.triage.proposals.fitted import FittedProposals
from qa_agents.triage.proposals.history import FILED_WITH, History
from qa_agents.triage.proposals.votes import nearest
from qa_agents.triage.proposals.witnesses import evidence
from tests.unit.triage.proposals.conftest import PEOPLE, Past

Around = Callable[[str], list[tuple[Candidate, Incident]]]


def report(now: datetime, text: str = "refund invoice deposit", **fields: Any) -> Report:
    return Report(id="R-1", summary=text, description=f"The {text} is wrong.", created=now, **fields)


def test_the_component_is_told_from_words_and_neighbours(
    fitted: FittedProposals, now: datetime, around: Around
) -> None:
    found = fitted.predict(report(now, product="WEB"), around("Payments"), None, now)["component"]
    assert found.value == "Payments"
    assert found.probability is not None
    assert found.probability > 0.7
    assert found.kept is not None
    assert found.cases is not None
    assert found.kept <= found.cases
    kinds = [evidence.kind for evidence in found.evidence]
    assert kinds == ["incident", "incident", "incident", "rule", "rate"]
    assert "“refund”" in found.evidence[3].text
    assert (
        found.evidence[4].text == f"right in {found.kept} of {found.cases} past cases that looked as sure as this one"
    )


def test_the_one_who_fixed_the_like_is_proposed(fitted: FittedProposals, now: datetime, around: Around) -> None:
    assert fitted.predict(report(now), around("Payments"), None, now)["assignee"].value == PEOPLE["Payments"]


def test_probabilities_of_all_values_add_to_one_at_most(fitted: FittedProposals, now: datetime, around: Around) -> None:
    for proposal in fitted.predict(report(now), around("Calendar"), None, now).values():
        shown = [other.probability or 0.0 for other in proposal.alternatives]
        assert sum(shown) + (proposal.probability or 0.0) <= 1 + 1e-3


def test_a_field_of_pure_chance_stays_silent_and_says_why(
    fitted: FittedProposals, now: datetime, around: Around
) -> None:
    found = fitted.predict(report(now), around("Payments"), None, now)["priority"]
    assert found.value is None
    assert found.alternatives
    assert (
        found.against[0].text
        == "On past reports the priority could be told hardly better than by naming the usual one."
    )


def test_a_report_like_nothing_is_undetermined(fitted: FittedProposals, now: datetime) -> None:
    for proposal in fitted.predict(report(now, "zebra"), [], None, now).values():
        assert proposal.value is None
        assert proposal.against[0].text == "No past incident resembles this report."


def test_what_was_stored_answers_as_what_was_fitted(fitted: FittedProposals, now: datetime, around: Around) -> None:
    again = FittedProposals.from_bytes(fitted.to_bytes())
    mine, its = (one.predict(report(now), around("Calendar"), None, now)["component"] for one in (fitted, again))
    assert its.value == mine.value
    assert its.probability == pytest.approx(mine.probability, abs=0.01)  # weights are kept in half precision
    assert again.fields["type"].last_used == fitted.fields["type"].last_used


@pytest.mark.parametrize("body", [b"", b"PK\x03\x04", b"no archive at all"])
def test_other_bytes_are_refused_with_a_sentence(body: bytes) -> None:
    with pytest.raises(StorageError, match="cannot be read"):
        FittedProposals.from_bytes(body)


def test_another_format_is_refused(fitted: FittedProposals, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("qa_agents.triage.proposals.fitted.FORMAT", 999)
    body = fitted.to_bytes()
    monkeypatch.undo()
    with pytest.raises(StorageError):
        FittedProposals.from_bytes(body)


def test_the_same_past_gives_the_same_bytes(past: list[Incident], now: datetime, fitted: FittedProposals) -> None:
    assert fit_proposals(list(reversed(past)), None, now).to_bytes() == fitted.to_bytes()


def test_the_future_changes_nothing(
    past: list[Incident], make_past: Past, fitted: FittedProposals, now: datetime
) -> None:
    later = make_past(50, 9, start=now + timedelta(days=1), prefix="F")
    assert fit_proposals([*past, *later], None, now).to_bytes() == fitted.to_bytes()


def test_too_few_outcomes_leave_a_field_alone_and_say_so(make_past: Past, now: datetime) -> None:
    few = fit_proposals(make_past(MIN_OUTCOMES - 20), None, now)
    assert few.fields == {}
    assert (
        few.left_alone["component"]
        == f"{MIN_OUTCOMES - 20} incidents with a known component; {MIN_OUTCOMES} are needed"
    )


def test_a_field_with_one_value_only_is_left_alone(past: list[Incident], now: datetime) -> None:
    bugs = [incident.model_copy(update={"type": "Bug"}) for incident in past]
    assert fit_proposals(bugs, None, now).left_alone == {"type": "every incident has the same type"}


def test_nothing_at_all_is_fitted_on_nothing(now: datetime) -> None:
    assert fit_proposals([], None, now).fields == {}


def test_a_label_that_came_after_the_fit_is_proposed_through_the_vote(
    fitted: FittedProposals, now: datetime, around: Around
) -> None:
    fresh = [
        (c, i.model_copy(update={"component": "Kiosk", "components": ["Kiosk"], "created": now - timedelta(hours=n)}))
        for n, (c, i) in enumerate(around("Payments"), start=1)
    ]
    ranked = fitted.predict(report(now, "kiosk terminal frozen"), fresh, None, now)["component"]
    assert ranked.value == "Kiosk"


def test_a_label_out_of_use_is_not_proposed(past: list[Incident], now: datetime, around: Around) -> None:
    old = timedelta(days=500)
    aged = [
        i.model_copy(update={"created": (i.created or now) - old, "resolved": i.resolved and i.resolved - old})
        if i.component == "Payments"
        else i
        for i in past
    ]
    found = fit_proposals(aged, None, now)
    row = found.row(report(now))
    ranked = found.rank("component", report(now), row, [], None)
    assert "Payments" in ranked.retired
    assert "Payments" not in ranked.names


def test_who_has_resolved_nothing_of_late_is_taken_to_have_left(
    past: list[Incident], now: datetime, around: Around
) -> None:
    from qa_agents.triage.proposals.model import LEFT_AFTER

    last = now - LEFT_AFTER - timedelta(days=5)
    gone = [
        i.model_copy(update={"assignee": "bo"}) if i.assignee == "ana" and i.resolved and i.resolved > last else i
        for i in past
    ]
    found = fit_proposals(gone, None, now)
    names = found.rank("assignee", report(now), found.row(report(now)), [], None).names
    assert names
    assert "ana" not in names


def test_only_what_the_live_tracker_knows_is_proposed(fitted: FittedProposals, now: datetime, around: Around) -> None:
    allowed: dict[Any, set[str]] = {"component": {"Calendar"}}
    found = fitted.predict(report(now), around("Payments"), None, now, allowed=allowed)["component"]
    assert found.value in (None, "Calendar")
    assert {other.value for other in found.alternatives} <= {"Calendar"}


def test_an_incident_filed_later_or_the_report_itself_has_no_vote(
    fitted: FittedProposals, now: datetime, around: Around
) -> None:
    later = [(c, i.model_copy(update={"created": now + timedelta(days=1)})) for c, i in around("Payments")]
    own = [(c, i.model_copy(update={"id": "R-1"})) for c, i in around("Payments")]
    row = fitted.row(report(now))
    assert fitted.near(report(now), row, [*later, *own], now) == []


def test_one_report_is_heard_as_it_is_among_many(past: list[Incident], now: datetime, make_past: Past) -> None:
    """What is weighed at the fit and what is asked later must be the same evidence, witness by witness."""
    vectors = {i.id: _vector(i) for i in past}
    found = fit_proposals(past, vectors, now)
    history = History(past, vectors, now, vocabulary=found.vocabulary)
    labelled = history.labelled("component")
    queries = np.arange(len(history) - 10, len(history))
    near = nearest(history, queries)
    model = found.fields["component"]
    many = evidence(model.witnesses, history, labelled, queries, near)
    p_many = many @ np.array([model.weights[name] for name in model.witnesses.names])
    for n, query in enumerate(queries.tolist()):
        incident = history.incidents[query]
        around = [history.incidents[row] for row in near.rows[n].tolist() if row >= 0]
        # At the fit the labels of open incidents are as known as they are here.
        pairs = [
            (Candidate(incident_id=i.id, score=1, dense=float(vectors[i.id] @ vectors[incident.id])), i) for i in around
        ]
        assert incident.created is not None
        row = found.row(incident)
        voters = found.near(incident, row, pairs, incident.created)
        ranked = found.rank("component", incident, row, voters, vectors[incident.id])
        order = [labelled.names[label] for label in np.argsort(-p_many[n], kind="stable")]
        assert ranked.names[0] == order[0]
        raised = np.exp(p_many[n] - p_many[n].max())
        assert float(ranked.probabilities[0]) == pytest.approx(float((raised / raised.sum()).max()), abs=1e-4)
    assert set(FILED_WITH) < set(model.witnesses.names)


def _vector(incident: Incident) -> Any:
    seed = sum(map(ord, incident.component or ""))
    vector = np.random.default_rng(seed).normal(size=8) + 0.3 * np.random.default_rng(len(incident.id)).normal(size=8)
    return (vector / np.linalg.norm(vector)).astype(np.float32)


def test_a_memory_that_was_not_fed_for_years_proposes_as_if_it_had_been_fed_yesterday(
    past: list[Incident], now: datetime, fitted: FittedProposals, around: Around
) -> None:
    late = fit_proposals(past, None, now + timedelta(days=5_000))
    for name in ("component", "assignee"):
        mine, theirs = (
            one.predict(report(now, product="WEB"), around("Payments"), None, now)[name] for one in (fitted, late)
        )
        assert theirs.value == mine.value is not None
        assert theirs.probability == pytest.approx(mine.probability, abs=0.02)
        prior = late.fields[name].witnesses.habits.prior
        assert prior == pytest.approx(fitted.fields[name].witnesses.habits.prior, abs=0.01)
