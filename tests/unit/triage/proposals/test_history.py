"""What of the past may be learned from, and when."""

from datetime import timedelta

import numpy as np
import pytest

from qa_agents.incidents.schema import Incident
from qa_agents.triage.proposals.history import HUMAN_WEIGHT, History, labels_of, trust
from tests.unit.triage.proposals.conftest import START, Past


def test_nothing_dated_later_is_there(past: list[Incident]) -> None:
    history = History(past, None, START + timedelta(days=30))
    assert len(history) == 60
    assert history.created.max() < history.as_of


def test_a_closing_after_the_moment_is_not_known_yet(past: list[Incident]) -> None:
    history = History(past, None, START + timedelta(days=30))
    assert np.isfinite(history.resolved).sum() == sum(
        1 for i in past[:60] if i.resolved and i.resolved <= START + timedelta(days=30)
    )


def test_labels_count_from_the_closing_where_open_incidents_carry_none(make_past: Past) -> None:
    bare = [i if i.resolved else i.model_copy(update={"component": None, "components": []}) for i in make_past(300)]
    bare += [Incident(id=f"O-{n}", summary="open", created=START + timedelta(days=149)) for n in range(10)]
    history = History(bare, None, START + timedelta(days=160))
    labelled = history.labelled("component")
    closed = np.isfinite(history.resolved)
    assert (labelled.known[closed] == history.resolved[closed]).all()
    assert np.isinf(labelled.known[~closed]).all()


def test_labels_count_from_filing_where_open_incidents_carry_them_too(make_past: Past) -> None:
    past = [
        i.model_copy(update={"resolved": None, "assignee": None}) if n % 5 == 0 else i
        for n, i in enumerate(make_past(300))
    ]
    history = History(past, None, START + timedelta(days=300))
    assert (history.labelled("component").known == history.created).all()


def test_a_person_counts_as_assignee_only_once_it_is_resolved() -> None:
    held = Incident(id="A", summary="a", created=START, assignee="ana")
    assert labels_of(held, "assignee") == []
    assert labels_of(held.model_copy(update={"resolved": START}), "assignee") == ["ana"]


def test_a_persons_label_outweighs_the_trackers() -> None:
    plain = Incident(id="A", summary="a", created=START)
    reviewed = Incident.model_validate({**plain.model_dump(), "labelled_by": "ana"})
    assert (trust(plain), trust(reviewed)) == (1.0, HUMAN_WEIGHT)


def test_the_labels_of_an_incident_share_its_weight() -> None:
    several = [Incident(id="A", summary="a", created=START, components=["UI", "API"])]
    labelled = History(several, None, START + timedelta(days=1)).labelled("component")
    assert labelled.names == ("API", "UI")
    assert labelled.targets.tolist() == [[0.5, 0.5]]


@pytest.mark.parametrize(("share", "used"), [(0.4, False), (0.6, True)])
def test_vectors_are_used_when_most_incidents_have_one(past: list[Incident], share: float, used: bool) -> None:
    some = past[:50]
    vectors = {i.id: np.ones(4, np.float32) for i in some[: int(50 * share)]}
    assert (History(some, vectors, START + timedelta(days=300)).vectors is not None) is used
