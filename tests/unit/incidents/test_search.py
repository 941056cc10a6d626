import json
import shutil
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qa_agents.errors import EmbedderError
from qa_agents.incidents import pool as pool_module
from qa_agents.incidents import search as module
from qa_agents.incidents import vectors as vectors_module
from qa_agents.incidents.embedders import CachedEmbedder
from qa_agents.incidents.lexical import INDEXED_CHARS, LexicalIndex
from qa_agents.incidents.pool import fuse
from qa_agents.incidents.schema import Incident, Report
from qa_agents.incidents.search import Memory, as_incident, as_known
from qa_agents.incidents.store import IncidentStore
from qa_agents.incidents.vectors import VectorIndex
from qa_agents.storage.engine import Database
from qa_agents.testing.embedder import HashingEmbedder

MONDAY = datetime(2024, 3, 4, 9, tzinfo=UTC)
DAY = timedelta(days=1)


def incident(id_: str, summary: str, **fields: Any) -> Incident:
    return Incident.model_validate({"id": id_, "summary": summary, **fields})


def report(summary: str, **fields: Any) -> Report:
    return Report.model_validate({"id": "R", "summary": summary, "created": MONDAY, **fields})


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "workspace"


@pytest.fixture
def store(db: Database) -> IncidentStore:
    return IncidentStore(db)


@pytest.fixture
def memory(home: Path, store: IncidentStore) -> Iterator[Memory]:
    embedder = HashingEmbedder()
    made = Memory(store, LexicalIndex(home / "lexical", store), VectorIndex(home, store, embedder), embedder)
    yield made
    made.close()


@pytest.fixture
def words_only(home: Path, store: IncidentStore) -> Memory:
    return Memory(store, LexicalIndex(home / "lexical", store))


def ids(memory: Memory, asked: Report, **options: Any) -> list[str]:
    return [candidate.incident_id for candidate in memory.search(asked, **options).candidates]


def past(id_: str, summary: str, days: int = 10, **fields: Any) -> Incident:
    return incident(id_, summary, created=MONDAY - days * DAY, **fields)


def test_the_nearest_by_words_and_vectors_come_first(memory: Memory, store: IncidentStore) -> None:
    store.upsert([past("A", "cart crash on save"), past("B", "calendar"), past("C", "cart colour")])
    retrieval = memory.search(report("cart crash"))
    assert [c.incident_id for c in retrieval.candidates] == ["A", "C", "B"]
    best = retrieval.candidates[0]
    assert best.lexical is not None
    assert best.dense is not None
    assert 0 < best.lexical < 1
    assert best.shared == ["crash", "cart"]
    assert retrieval.candidates[2].lexical is None
    assert (retrieval.memory_size, retrieval.as_of, retrieval.notes) == (3, MONDAY, [])
    assert retrieval.index == {"words": LexicalIndex.version, "embedder": HashingEmbedder().fingerprint}


def test_k_limits_the_answer(memory: Memory, store: IncidentStore) -> None:
    store.upsert([past(f"I-{i}", f"cart crash {i}") for i in range(30)])
    assert len(ids(memory, report("cart crash"))) == 20
    assert ids(memory, report("cart crash"), k=5) == ids(memory, report("cart crash"), k=50)[:5]
    assert ids(memory, report("cart crash"), k=0) == []


def test_the_report_itself_is_never_found(memory: Memory, store: IncidentStore) -> None:
    store.upsert([past("R", "cart crash"), past("A", "cart crash")])
    retrieval = memory.search(report("cart crash"))
    assert [c.incident_id for c in retrieval.candidates] == ["A"]
    assert retrieval.memory_size == 1


def test_nothing_filed_at_or_after_the_report_is_found(memory: Memory, store: IncidentStore) -> None:
    store.upsert([past("before", "cart"), incident("then", "cart", created=MONDAY), past("after", "cart", days=-1)])
    assert ids(memory, report("cart")) == ["before"]
    assert set(ids(memory, report("cart"), as_of=MONDAY + 2 * DAY)) == {"before", "then", "after"}


def test_a_report_without_a_date_is_searched_as_of_now(memory: Memory, store: IncidentStore) -> None:
    store.upsert([past("A", "cart"), incident("undated", "cart")])
    retrieval = memory.search(report("cart", created=None))
    assert {c.incident_id for c in retrieval.candidates} == {"A", "undated"}
    assert abs(retrieval.as_of - datetime.now(UTC)) < DAY


def test_of_two_alike_the_more_recent_comes_first(memory: Memory, store: IncidentStore) -> None:
    store.upsert([past("old", "cart crash", days=700), past("new", "cart crash", days=2)])
    assert ids(memory, report("cart crash")) == ["new", "old"]


def test_a_search_answers_the_same_with_a_longer_memory_of_later_things(memory: Memory, store: IncidentStore) -> None:
    store.upsert([past(f"I-{i}", f"cart crash {i}") for i in range(20)])
    memory.catch_up()
    then = memory.search(report("cart crash 7"))
    store.upsert([past(f"N-{i}", f"cart crash {i}", days=-5) for i in range(20)])
    memory.catch_up()
    assert memory.search(report("cart crash 7")) == then


@pytest.mark.parametrize("asked", [report(""), report("  ", description="\n\t")])
def test_an_empty_report_finds_nothing_and_says_why(memory: Memory, store: IncidentStore, asked: Report) -> None:
    store.upsert([past("A", "cart")])
    retrieval = memory.search(asked)
    assert retrieval.candidates == []
    assert retrieval.notes == ["The report has no text to compare."]


def test_an_empty_memory_answers(memory: Memory) -> None:
    retrieval = memory.search(report("cart"))
    assert (retrieval.candidates, retrieval.memory_size, retrieval.notes) == ([], 0, [])


def test_a_text_that_is_cut_is_said_to_be(memory: Memory, store: IncidentStore) -> None:
    store.upsert([past("A", "cart")])
    retrieval = memory.search(report("cart", description="x " * INDEXED_CHARS))
    assert [c.incident_id for c in retrieval.candidates] == ["A"]
    assert "were compared" in retrieval.notes[0]


def test_without_vectors_words_answer_and_it_is_said(words_only: Memory, store: IncidentStore) -> None:
    store.upsert([past("A", "cart crash"), past("B", "calendar")])
    retrieval = words_only.search(report("cart"))
    assert [(c.incident_id, c.dense) for c in retrieval.candidates] == [("A", None)]
    assert 0 < retrieval.candidates[0].score < 1
    assert "switched off" in retrieval.notes[0]
    assert retrieval.index["embedder"] == "none"


class Broken(HashingEmbedder):
    def embed(self, texts: Sequence[str]) -> Any:
        raise EmbedderError("The server is gone.")


def test_a_failing_embedder_costs_the_vectors_only(home: Path, store: IncidentStore) -> None:
    embedder = Broken()
    memory = Memory(store, LexicalIndex(home / "lexical", store), VectorIndex(home, store, embedder), embedder)
    store.upsert([past("A", "cart")])
    retrieval = memory.search(report("cart"))
    assert [c.incident_id for c in retrieval.candidates] == ["A"]
    assert "The server is gone." in retrieval.notes[0]
    assert "The server is gone." in memory.catch_up()[0]
    assert memory.remember(report("cart again")) is True
    memory.close()


def test_a_changed_embedder_asks_for_reindex_and_words_answer(home: Path, store: IncidentStore, memory: Memory) -> None:
    store.upsert([past("A", "cart")])
    memory.catch_up()
    memory.close()
    other = HashingEmbedder(name="other")
    changed = Memory(store, LexicalIndex(home / "lexical", store), VectorIndex(home, store, other), other)
    retrieval = changed.search(report("cart"))
    assert [c.dense for c in retrieval.candidates] == [None]
    assert "qa-agents incidents reindex" in retrieval.notes[0]
    changed.reindex()
    assert changed.search(report("cart")).candidates[0].dense == pytest.approx(1.0)
    changed.close()


def test_another_process_with_the_index_costs_the_vectors_only(
    home: Path, store: IncidentStore, memory: Memory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vectors_module, "BUSY_SECONDS", 0.05)
    store.upsert([past("A", "cart")])
    memory.catch_up()
    embedder = HashingEmbedder()
    other = Memory(store, LexicalIndex(home / "lexical", store), VectorIndex(home, store, embedder), embedder)
    retrieval = other.search(report("cart"))
    assert [c.incident_id for c in retrieval.candidates] == ["A"]
    assert "in use by process" in retrieval.notes[0]


def test_an_index_that_lost_entries_is_not_trusted(
    memory: Memory, store: IncidentStore, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(vectors_module.HNSW, "sync_threshold", 100)
    store.upsert([past(f"I-{i}", f"cart crash {i}") for i in range(350)])
    memory.catch_up()
    memory.close()
    for graph in (home / "chroma").iterdir():
        if graph.is_dir():
            shutil.rmtree(graph)
    retrieval = memory.search(report("cart crash"))
    assert len(retrieval.candidates) == 20
    assert {candidate.dense for candidate in retrieval.candidates} == {None}
    assert "qa-agents incidents reindex" in retrieval.notes[0]
    memory.reindex()
    assert memory.search(report("cart crash")).notes == []


def test_a_small_backlog_of_vectors_is_made_up_a_large_one_is_told(memory: Memory, store: IncidentStore) -> None:
    store.upsert([past(f"I-{i}", f"cart {i}") for i in range(module.SMALL_BACKLOG)])
    assert memory.search(report("cart")).notes == []
    store.upsert([past(f"N-{i}", f"cart {i}") for i in range(module.SMALL_BACKLOG + 1)])
    retrieval = memory.search(report("cart"), k=100)
    assert f"{module.SMALL_BACKLOG + 1} incidents have no vector yet" in retrieval.notes[0]
    assert len(retrieval.candidates) == 2 * module.SMALL_BACKLOG + 1
    memory.catch_up()
    assert memory.search(report("cart")).notes == []


def test_what_was_not_yet_known_of_a_neighbour_is_hidden(memory: Memory, store: IncidentStore) -> None:
    outcome = {"status": "Closed", "resolution": "Fixed", "resolution_note": "null", "duplicate_of": ["X"]}
    store.upsert(
        [
            past("known", "cart", resolved=MONDAY - DAY, component="Cart", **outcome),
            past("secret", "cart", resolved=MONDAY + DAY, component="Cart", **outcome),
        ]
    )
    found = {candidate.incident_id: past for candidate, past in memory.neighbours(memory.search(report("cart")))}
    assert found["known"] == store.get("known")
    hidden = found["secret"]
    assert (hidden.status, hidden.resolution, hidden.resolved, hidden.resolution_note) == (None, None, None, None)
    assert hidden.duplicate_of == []
    assert hidden.component == "Cart"
    assert hidden.open_at(MONDAY)


def test_neighbours_keep_the_order_and_leave_out_what_is_gone(memory: Memory, store: IncidentStore) -> None:
    store.upsert([past("A", "cart crash"), past("B", "cart")])
    retrieval = memory.search(report("cart crash"))
    lost = retrieval.candidates[0].model_copy(update={"incident_id": "gone"})
    changed = retrieval.model_copy(update={"candidates": [lost, *retrieval.candidates]})
    assert [candidate.incident_id for candidate, _ in memory.neighbours(changed)] == ["A", "B"]


def test_tomorrows_duplicate_finds_todays_report(memory: Memory, store: IncidentStore) -> None:
    store.upsert([past("A", "calendar")])
    assert memory.remember(report("cart crash", votes=3)) is True
    found = memory.search(report("cart crash", id="S", created=MONDAY + DAY))
    assert found.candidates[0].incident_id == "R"
    assert found.candidates[0].dense == pytest.approx(1.0)
    kept = memory.get("R")
    assert kept is not None
    assert kept.open_at(MONDAY + DAY)
    assert kept.model_extra == {"votes": 3}
    assert memory.stats().origins == {"import": 1, "report": 1}


def test_remembering_reuses_the_vector_of_the_search(home: Path, store: IncidentStore) -> None:
    inner = HashingEmbedder()
    vectors = VectorIndex(home, store, CachedEmbedder(inner))
    memory = Memory(store, LexicalIndex(home / "lexical", store), vectors, CachedEmbedder(inner))
    store.upsert([past("A", "calendar")])
    memory.catch_up()
    inner.calls.clear()
    memory.search(report("cart crash"))
    memory.remember(report("cart crash"))
    assert inner.calls == ["cart crash"]
    assert vectors.behind() == 0
    memory.close()


def test_a_report_is_remembered_once_and_an_empty_one_never(memory: Memory, store: IncidentStore) -> None:
    assert memory.remember(report("cart")) is True
    assert memory.remember(report("cart now")) is False
    assert memory.remember(report("", id="E")) is False
    assert store.count() == 1


def test_a_remembered_report_is_filed_now_when_it_has_no_date() -> None:
    made = as_incident(report("cart", created=None), now=MONDAY)
    assert made is not None
    assert made.created == MONDAY


def test_a_report_says_nothing_about_its_own_outcome() -> None:
    asked = report("cart", status="Closed", resolution="Fixed", resolved="2024-01-01", duplicate_of=["A"], updated="no")
    made = as_incident(asked)
    assert made is not None
    assert made.open_at(MONDAY)
    assert made.duplicate_of == []


@pytest.mark.parametrize(
    "odd", [{"components": 5}, {"severity": {"level": 1}}, {"assignee": ["a"]}, {"component": 1.5}]
)
def test_a_report_with_keys_of_another_shape_is_still_remembered(odd: dict[str, Any]) -> None:
    made = as_incident(report("cart", **odd))
    assert made is not None
    assert made.summary == "cart"


@given(st.datetimes(timezones=st.just(UTC)), st.datetimes(timezones=st.just(UTC)) | st.none())
def test_an_incident_as_known_is_open_exactly_when_it_was(moment: datetime, resolved: datetime | None) -> None:
    whole = incident("A", "x", resolved=resolved, resolution="Fixed", duplicate_of=["B"])
    known = as_known(whole, moment)
    assert known.open_at(moment) == whole.open_at(moment)
    assert (known.resolution is None) == whole.open_at(moment)


ratios, cosines, gaps = st.floats(0, 1.5), st.floats(-1, 1), st.floats(0, 10)


@given(ratios, ratios, cosines, cosines, gaps, gaps)
def test_the_fused_score_rises_with_likeness_and_falls_with_time(
    r1: float, r2: float, c1: float, c2: float, g1: float, g2: float
) -> None:
    def fused(ratio: float, cosine: float, gap: float) -> float:
        return float(fuse(np.array([ratio]), np.array([cosine]), np.array([gap]))[0])

    assert 0 < fused(r1, c1, g1) < 1
    assert fused(max(r1, r2), c1, g1) >= fused(min(r1, r2), c1, g1)
    assert fused(r1, max(c1, c2), g1) >= fused(r1, min(c1, c2), g1)
    assert fused(r1, c1, max(g1, g2)) <= fused(r1, c1, min(g1, g2))
    assert fused(r1, np.nan, max(g1, g2)) <= fused(max(r1, r2), np.nan, min(g1, g2))


def test_reindex_makes_both_indexes_anew(memory: Memory, store: IncidentStore, home: Path) -> None:
    store.upsert([past("A", "cart"), past("B", "login")])
    memory.catch_up()
    before = memory.search(report("cart"))
    seen: list[tuple[str, int, int]] = []
    memory.reindex(lambda *step: seen.append(step))
    assert memory.search(report("cart")) == before
    assert seen == [("words", 2, 2), ("vectors", 2, 2)]


def test_real_duplicates_are_found_by_words_alone(shared_data: Path, words_only: Memory, store: IncidentStore) -> None:
    """A floor, below what was measured: most originals of a summer's duplicates are among the first twenty."""
    import zstandard

    with (shared_data / "triage" / "titanium-2011-2013.jsonl.zst").open("rb") as file:
        lines = zstandard.ZstdDecompressor().stream_reader(file).read().splitlines()
    rows = [row for row in map(json.loads, lines) if row["created"] < "2011-09"]
    store.upsert([Incident.model_validate(row) for row in rows])
    asked = [row for row in rows if row["dup_query"] and row["created"] > "2011-05"]
    hits = 0
    for row in asked:
        earlier = {r["id"] for r in rows if r["dup_cluster"] == row["dup_cluster"] and r["created"] < row["created"]}
        query = Report.model_validate({name: row[name] for name in Report.model_fields if name in row})
        hits += bool(earlier & set(ids(words_only, query)))
    assert len(asked) > 30
    assert hits / len(asked) > 0.6


def test_the_pool_holds_what_a_ranking_looks_at(memory: Memory, store: IncidentStore) -> None:
    store.upsert(
        [
            past("A", "cart crash on save"),
            past("B", "cart crash again", 5, duplicate_of=["A"], resolved=MONDAY - DAY, resolution="Duplicate"),
            past("C", "cart colour", 3, duplicate_of=["A"], resolved=MONDAY + DAY, resolution="Duplicate"),
            past("D", "cart crash tomorrow", -1),
        ]
    )
    pool = memory.pool(memory.gather(report("cart crash")))
    places = {incident.id: place for place, incident in enumerate(pool.incidents)}
    assert places.keys() == {"A", "B", "C"}
    assert pool.duplicates[places["A"]] == ["B"]
    assert (pool.incidents[places["C"]].duplicate_of, pool.incidents[places["B"]].duplicate_of) == ([], ["A"])
    assert pool.matches.summary.shape == (2, 3)
    assert pool.matches.summary[:, places["A"]].tolist() == [1, 1]
    assert pool.matches.size == 3
    assert pool.vectors is not None
    assert np.allclose(pool.summary_cosine, pool.cosine, atol=1e-6)


def test_a_pool_is_bounded_and_keeps_the_likeliest(
    memory: Memory, store: IncidentStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool_module, "POOL", 3)
    store.upsert([past(f"I-{i}", f"cart {'crash ' * (i % 3)}item{i}") for i in range(12)] + [past("A", "cart crash")])
    memory.catch_up()
    pool = memory.pool(memory.gather(report("cart crash")))
    assert len(pool.incidents) == 3
    assert "A" in {incident.id for incident in pool.incidents}


def test_a_pool_without_vectors_says_so(words_only: Memory, store: IncidentStore) -> None:
    store.upsert([past("A", "cart crash")])
    pool = words_only.pool(words_only.gather(report("cart crash")))
    assert pool.vectors is None
    assert np.isnan(pool.cosine).all()
    assert np.isnan(pool.summary_cosine).all()
