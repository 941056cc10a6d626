"""Between two fits: what arrives moves the probabilities, by the same memory that proposes, once and no earlier."""

from datetime import timedelta
from pathlib import Path

import pytest

from qa_agents.incidents.lexical import LexicalIndex
from qa_agents.incidents.schema import Incident
from qa_agents.incidents.search import Memory
from qa_agents.incidents.store import IncidentStore
from qa_agents.storage.engine import Database
from qa_agents.storage.learned import keep_learned, load_learned
from qa_agents.triage.following import WINDOW, follow
from qa_agents.triage.learning import NAME, Proposer, learn
from tests.unit.triage.proposals.conftest import START, invented_past

LATER = START + timedelta(days=150)


@pytest.fixture
def memory(db: Database, tmp_path: Path) -> Memory:
    store = IncidentStore(db)
    memory = Memory(store, LexicalIndex(tmp_path / "lexical", store))
    add(memory, [opened(incident) if n % 8 == 0 else incident for n, incident in enumerate(invented_past(300))])
    learn(memory, db, {}, lambda *_: None)
    return memory


def add(memory: Memory, incidents: list[Incident]) -> None:
    memory.store.upsert(incidents)
    memory.catch_up()


def opened(incident: Incident) -> Incident:
    """The incident as labelled at triage and not yet closed."""
    return incident.model_copy(update=dict.fromkeys(("status", "resolution", "resolved", "assignee")))


def elsewhere(count: int) -> list[Incident]:
    """Later reports that all went to another component than their words say."""
    news = invented_past(count, seed=7, start=LATER, prefix="N")
    return [incident.model_copy(update={"component": "Calendar", "components": ["Calendar"]}) for incident in news]


def test_what_arrives_lowers_the_probability_where_the_proposals_were_wrong(memory: Memory, db: Database) -> None:
    proposer = Proposer(memory, db)
    before = proposer.fitted
    add(memory, elsewhere(160))
    assert follow(memory, db) is not None
    after = proposer.fitted
    assert before
    assert after
    assert after.fields["component"].sure(0.9) < before.fields["component"].sure(0.9) - 0.2
    assert after.fields["component"].witnesses.names == before.fields["component"].witnesses.names


def test_the_same_outcomes_count_once(memory: Memory, db: Database) -> None:
    add(memory, elsewhere(120))
    assert follow(memory, db)
    assert follow(memory, db) is None


def test_few_outcomes_wait_for_more(memory: Memory, db: Database) -> None:
    assert follow(memory, db) is None
    add(memory, elsewhere(20))
    assert follow(memory, db) is None


def test_without_a_fit_there_is_nothing_to_follow(db: Database, tmp_path: Path) -> None:
    store = IncidentStore(db)
    assert follow(Memory(store, LexicalIndex(tmp_path / "lexical", store)), db) is None


def test_what_followed_another_fit_is_not_used(memory: Memory, db: Database) -> None:
    add(memory, elsewhere(120))
    follow(memory, db)
    with db.write() as connection:
        window = load_learned(connection, WINDOW)
        assert window
        keep_learned(connection, WINDOW, window.body, **{**window.about, "of": "0" * 64})
        kept = load_learned(connection, NAME)
        assert kept
    fitted = Proposer(memory, db).fitted
    assert fitted
    assert fitted.fields["component"].sure(0.9) == fitted.fields["component"].beta(0.9)
