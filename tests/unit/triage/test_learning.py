"""What learning fits, keeps and leaves alone; when it is due; and who proposes before and after."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from qa_agents.errors import UnavailableError
from qa_agents.incidents.lexical import LexicalIndex
from qa_agents.incidents.schema import Candidate, Incident, Report
from qa_agents.incidents.search import Memory
from qa_agents.incidents.store import IncidentStore
from qa_agents.storage.engine import Database
from qa_agents.storage.learned import keep_learned, load_learned
from qa_agents.triage import learning
from qa_agents.triage.classify import classify
from qa_agents.triage.learning import GROWTH, MIN_OUTCOMES, NAME, Proposer, learn, standing
from tests.unit.triage.proposals.conftest import invented_past


def quiet(*_: object) -> None:
    """No progress."""


@pytest.fixture
def memory(db: Database, tmp_path: Path) -> Memory:
    store = IncidentStore(db)
    return Memory(store, LexicalIndex(tmp_path / "lexical", store))


def fill(memory: Memory, count: int, **more: Any) -> list[Incident]:
    past = invented_past(count, **more)
    memory.store.upsert(past)
    memory.catch_up()
    return past


def near(past: list[Incident]) -> list[tuple[Candidate, Incident]]:
    same = [incident for incident in past if incident.component == "Payments" and incident.resolved][-8:]
    return [(Candidate(incident_id=i.id, score=0.9, lexical=0.6), i) for i in same]


def asked(past: list[Incident]) -> Report:
    assert past[-1].created
    return Report(id="R", summary="refund invoice deposit", created=past[-1].created + timedelta(days=1))


def test_a_short_past_is_left_alone_and_the_neighbours_vote(memory: Memory, db: Database) -> None:
    past = fill(memory, MIN_OUTCOMES)
    report = learn(memory, db, {}, quiet)
    assert [(step.name, step.state) for step in report.steps] == [(NAME, "left alone")]
    assert report.fitted == []
    question = asked(past)
    assert question.created
    assert Proposer(memory, db)(question, near(past), question.created) == classify(
        question, near(past), question.created
    )


def test_enough_outcomes_are_fitted_kept_and_used(memory: Memory, db: Database) -> None:
    past = fill(memory, 300)
    proposer = Proposer(memory, db)
    question = asked(past)
    assert question.created
    assert proposer(question, near(past), question.created)["component"].probability is None
    report = learn(memory, db, {}, quiet)
    assert report.steps[0].state == "fitted"
    assert report.steps[0].outcomes == 285
    told = proposer(question, near(past), question.created)["component"]  # the same proposer: it sees what is newer
    assert told.value == "Payments"
    assert told.probability


def test_one_fit_that_fails_costs_no_other(memory: Memory, db: Database) -> None:
    def fails(_: object) -> dict[str, object]:
        raise UnavailableError("The index is busy.", hint="Try again.")

    def breaks(_: object) -> dict[str, object]:
        raise ZeroDivisionError("division by zero")

    fill(memory, 20)
    steps = learn(memory, db, {"a": fails, "b": breaks, "c": lambda _: {"n": 7}, "d": lambda _: None}, quiet).steps[1:]
    assert [(s.name, s.state) for s in steps] == [
        ("a", "failed"),
        ("b", "failed"),
        ("c", "fitted"),
        ("d", "left alone"),
    ]
    assert steps[0].says.startswith("The index is busy.")
    assert steps[1].says == "ZeroDivisionError: division by zero"
    assert steps[2].outcomes == 7


def test_an_interruption_is_not_swallowed(memory: Memory, db: Database) -> None:
    def stops(_: object) -> dict[str, object]:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        learn(memory, db, {"a": stops}, quiet)


def test_learning_is_due_with_enough_outcomes_and_again_when_they_grew_by_a_fifth(memory: Memory, db: Database) -> None:
    fill(memory, 90)
    assert not standing(memory, db).due
    assert "no probability" in str(standing(memory, db))
    fill(memory, 200)
    assert standing(memory, db).due
    learn(memory, db, {}, quiet)
    found = standing(memory, db)
    assert (found.fitted_on, found.since, found.due, found.usable) == (185, 0, False, True)
    more = int(185 * GROWTH) + 16
    fill(memory, more, seed=5, prefix="N")
    found = standing(memory, db)
    assert (found.since, found.due) == (more - 15, True)
    assert f"fitted on 185 outcomes of {found.at:%Y-%m-%d}, {more - 15} since" in str(found)


def test_what_was_fitted_with_another_index_is_not_used_and_it_is_said(memory: Memory, db: Database) -> None:
    past = fill(memory, 200)
    learn(memory, db, {}, quiet)
    with db.write() as connection:
        kept = load_learned(connection, NAME)
        assert kept
        keep_learned(connection, NAME, kept.body + b" ", **{**kept.about, "fingerprint": "another"})
    assert Proposer(memory, db).fitted is None
    found = standing(memory, db)
    assert (found.usable, found.due) == (False, True)
    assert "not used" in str(found)
    question = asked(past)
    assert question.created
    assert Proposer(memory, db)(question, near(past), question.created)["component"].probability is None


def test_damaged_bytes_cost_the_probability_and_not_the_verdict(memory: Memory, db: Database) -> None:
    past = fill(memory, 200)
    learn(memory, db, {}, quiet)
    with db.write() as connection:
        kept = load_learned(connection, NAME)
        assert kept
        keep_learned(connection, NAME, kept.body[:200], **kept.about)
    question = asked(past)
    assert question.created
    assert Proposer(memory, db)(question, near(past), question.created)["component"].value == "Payments"


def test_only_the_newest_incidents_are_fitted_on(memory: Memory, db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(learning, "MAX_INCIDENTS", 180)
    fill(memory, 250)
    learn(memory, db, {}, quiet)
    fitted = Proposer(memory, db).fitted
    assert fitted
    assert fitted.outcomes == 165
