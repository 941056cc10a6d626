from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from qa_agents.incidents.lexical import LexicalIndex
from qa_agents.incidents.schema import Incident
from qa_agents.incidents.search import Memory
from qa_agents.incidents.store import IncidentStore
from qa_agents.incidents.vectors import VectorIndex
from qa_agents.storage.engine import Database
from qa_agents.testing.embedder import HashingEmbedder
from qa_agents.triage.ranking.features import features
from qa_agents.triage.ranking.trees import Trees
from qa_agents.triage.ranking.weights import Model, Odds, Ranker

MONDAY = datetime(2024, 3, 4, 9, tzinfo=UTC)
DAY = timedelta(days=1)


def past(id_: str, summary: str, days: float = 10, **fields: Any) -> Incident:
    return Incident.model_validate({"id": id_, "summary": summary, "created": MONDAY - days * DAY, **fields})


@pytest.fixture
def store(db: Database) -> IncidentStore:
    return IncidentStore(db)


@pytest.fixture
def memory(tmp_path: Path, store: IncidentStore) -> Iterator[Memory]:
    embedder, home = HashingEmbedder(), tmp_path / "workspace"
    made = Memory(store, LexicalIndex(home / "lexical", store), VectorIndex(home, store, embedder), embedder)
    yield made
    made.close()


@pytest.fixture
def words_only(tmp_path: Path, store: IncidentStore) -> Memory:
    return Memory(store, LexicalIndex(tmp_path / "workspace" / "lexical", store))


def stump(column: int, threshold: float = 0.0) -> Trees:
    """One test: 0 up to the threshold, 1 beyond it."""
    return Trees(
        np.array([[column]], np.int32),
        np.array([[threshold]], np.float32),
        np.array([[True]]),
        np.array([[0xFFFE]], np.uint16),
        np.array([[0.0, 1.0]], np.float32),
    )


def ranker_on(name: str, names: tuple[str, ...], threshold: float = 0.0, **about: Any) -> Ranker:
    """A ranker that looks at one feature only."""
    model = Model(stump(names.index(name), threshold), Odds(2.0, 0.5, -1.0))
    return Ranker(names, model, model, about)


@pytest.fixture
def names(words_only: Memory, store: IncidentStore) -> tuple[str, ...]:
    """The features' names."""
    store.upsert([past("N-1", "names of features")])
    found = features(words_only.pool(words_only.gather(past("N-2", "names of features", days=1))))[0]
    store.upsert([])
    return found
