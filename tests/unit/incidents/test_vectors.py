import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from qa_agents.errors import ConflictError, EmbedderError, InvalidInputError, StorageError, WorkspaceBusyError
from qa_agents.incidents import vectors as module
from qa_agents.incidents.embedders import Embedder, text_for_embedding
from qa_agents.incidents.schema import Incident
from qa_agents.incidents.store import IncidentStore
from qa_agents.incidents.vectors import VectorIndex
from qa_agents.storage.engine import Database, open_database
from qa_agents.testing.embedder import HashingEmbedder

MONDAY = datetime(2024, 3, 4, 9, tzinfo=UTC)
LATER = MONDAY + timedelta(days=3650)


def incident(id_: str, summary: str, **fields: Any) -> Incident:
    return Incident.model_validate({"id": id_, "summary": summary, **fields})


class Part:
    """A workspace with its vector index; `reopen` is what the next process would see."""

    def __init__(self, home: Path, store: IncidentStore) -> None:
        self.home, self.store, self.embedder = home, store, HashingEmbedder()
        self.index = VectorIndex(home, store, self.embedder)

    def add(self, *incidents: Incident) -> int:
        self.store.upsert(incidents)
        return self.catch_up()

    def catch_up(self) -> int:
        return self.index.catch_up(text_for_embedding)

    def found(self, text: str, k: int = 10, as_of: datetime = LATER, exclude: Sequence[int] = ()) -> list[str]:
        hits = self.index.search(HashingEmbedder().embed([text])[0], k, as_of, set(exclude))
        by_pk = self.store.by_pk(pk for pk, _ in hits)
        return [by_pk[pk].id for pk, _ in hits]

    def reopen(self, embedder: Embedder | None = None) -> None:
        self.index.close()
        self.index = VectorIndex(self.home, self.store, embedder or self.embedder)


@pytest.fixture
def part(db: Database, tmp_path: Path) -> Iterator[Part]:
    made = Part(tmp_path / "workspace", IncidentStore(db))
    yield made
    made.index.close()


def test_the_nearest_come_first_with_their_cosine(part: Part) -> None:
    texts = {"A": "cart crash on save", "B": "cart crash", "C": "calendar"}
    part.add(*(incident(id_, text) for id_, text in texts.items()))
    asked = HashingEmbedder().embed(["cart crash"])[0]
    hits = part.index.search(asked, 2, LATER)
    by_pk = part.store.by_pk(pk for pk, _ in hits)
    assert [by_pk[pk].id for pk, _ in hits] == ["B", "A"]
    for pk, cosine in hits:
        assert cosine == pytest.approx(float(asked @ HashingEmbedder().embed([texts[by_pk[pk].id]])[0]), abs=1e-5)


def test_only_incidents_from_before_the_moment_are_found(part: Part) -> None:
    part.add(
        incident("before", "cart", created=MONDAY - timedelta(seconds=1)),
        incident("then", "cart", created=MONDAY),
        incident("undated", "cart"),
    )
    assert set(part.found("cart", as_of=MONDAY)) == {"before", "undated"}


def test_the_old_are_found_behind_any_number_of_newer_ones(part: Part, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "OVERFETCH", (1,))
    part.add(
        *(incident(f"N-{i}", "cart crash", created=LATER - timedelta(days=1)) for i in range(80)),
        *(incident(f"O-{i}", f"cart {i}", created=MONDAY) for i in range(4)),
    )
    assert set(part.found("cart crash", k=4, as_of=MONDAY + timedelta(days=1))) == {"O-0", "O-1", "O-2", "O-3"}


def test_excluded_incidents_are_not_found(part: Part) -> None:
    part.add(incident("A", "cart"), incident("B", "cart now"))
    key = part.store.pk_of("A")
    assert key is not None
    assert part.found("cart", exclude=[key]) == ["B"]
    assert part.found("cart", k=1, exclude=[key]) == ["B"]


def test_an_empty_memory_finds_nothing_and_writes_nothing(part: Part) -> None:
    assert part.found("cart") == []
    assert part.catch_up() == 0
    assert part.index.count() == part.index.covered() == part.index.behind() == 0
    assert part.index.get_vectors([1]) == {}
    assert not (part.home / "chroma").exists()


def test_stored_vectors_are_given_back(part: Part) -> None:
    part.add(incident("A", "cart"), incident("B", "login"))
    keys = [part.store.pk_of("A"), part.store.pk_of("B")]
    stored = part.index.get_vectors([*keys, 999])  # type: ignore[list-item]
    assert set(stored) == set(keys)
    assert stored[keys[1]] == pytest.approx(HashingEmbedder().embed(["login"])[0], abs=1e-6)  # type: ignore[index]


def test_a_reopened_index_continues_where_it_was(part: Part) -> None:
    assert part.add(incident("A", "cart"), incident("B", "login")) == 2
    part.reopen()
    assert part.catch_up() == 0
    assert part.add(incident("C", "export")) == 1
    assert part.found("export", k=1) == ["C"]
    assert part.index.count() == 3


def test_an_incident_whose_text_is_unchanged_keeps_its_vector(part: Part) -> None:
    part.add(incident("A", "cart", created=MONDAY))
    assert part.add(incident("A", "cart", created=LATER, resolution="Fixed")) == 0
    assert part.found("cart", as_of=MONDAY + timedelta(days=1)) == []
    assert part.add(incident("A", "login", created=MONDAY)) == 1
    assert part.index.count() == 1
    assert part.index.behind() == 0


class Failing(HashingEmbedder):
    """Fails after so many calls, as a killed process or a lost server would."""

    def __init__(self, calls: int) -> None:
        super().__init__()
        self.left = calls

    def embed(self, texts: Sequence[str]) -> Any:
        self.left -= 1
        if self.left < 0:
            raise EmbedderError("gone")
        return super().embed(texts)


def test_an_interrupted_catch_up_is_resumed_and_nothing_is_done_twice(
    part: Part, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "BATCH", 10)
    part.store.upsert([incident(f"I-{i}", f"cart {i}") for i in range(35)])
    first, second = Failing(2), HashingEmbedder()
    part.reopen(first)
    with pytest.raises(EmbedderError):
        part.catch_up()
    assert part.index.behind() == 15
    part.reopen(second)
    assert part.catch_up() == 15
    assert part.index.count() == 35
    assert sorted(first.calls + second.calls) == sorted(f"cart {i}" for i in range(35))


def test_rows_stored_before_the_mark_moved_are_not_embedded_again(part: Part) -> None:
    part.store.upsert([incident("A", "cart"), incident("B", "login")])
    changes = part.store.changes(0, 10)
    vectors = part.embedder.embed(["cart", "login"])
    part.index.add([module.row_of(*pair) for pair in zip(changes, vectors, strict=True)])
    assert part.index.covered() == 0
    assert part.catch_up() == 0
    assert part.index.covered() == part.store.last_seq()


def test_progress_counts_up_to_the_total(part: Part, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BATCH", 2)
    part.store.upsert([incident(f"I-{i}", "cart") for i in range(5)])
    seen: list[tuple[str, int, int]] = []
    part.index.catch_up(text_for_embedding, lambda *step: seen.append(step))
    assert seen == [("vectors", 2, 5), ("vectors", 4, 5), ("vectors", 5, 5)]


def test_vectors_of_two_embedders_never_mix(part: Part) -> None:
    part.add(incident("A", "cart"))
    part.reopen(HashingEmbedder(dimension=8, name="other"))
    for use in (part.catch_up, part.index.count, lambda: part.found("cart"), lambda: part.add(incident("B", "x"))):
        with pytest.raises(ConflictError, match="reindex"):
            use()
    part.index.reset()
    assert part.catch_up() == 2
    assert part.index.count() == 2


def test_a_second_owner_is_refused_and_told_who_the_first_is(part: Part, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BUSY_SECONDS", 0.05)
    part.add(incident("A", "cart"))
    other = VectorIndex(part.home, part.store, part.embedder)
    with pytest.raises(WorkspaceBusyError, match=f"process {os.getpid()}"):
        other.count()
    part.index.close()
    assert other.count() == 1
    other.close()


def test_a_deleted_directory_is_filled_again(part: Part) -> None:
    part.add(incident("A", "cart"), incident("B", "login"))
    part.index.close()
    shutil.rmtree(part.home / "chroma")
    part.reopen()
    assert part.found("cart") == []
    assert part.index.behind() == 2
    assert part.catch_up() == 2
    assert part.found("cart", k=1) == ["A"]


def test_a_damaged_directory_is_said_and_can_be_made_anew(part: Part) -> None:
    part.add(incident("A", "cart"))
    part.index.close()
    (part.home / "chroma" / "chroma.sqlite3").write_bytes(b"garbage" * 1_000)
    part.reopen()
    for _ in range(2):
        with pytest.raises(StorageError, match="reindex"):
            part.found("cart")
    part.index.reset()
    assert part.catch_up() == 1
    assert part.found("cart") == ["A"]


def test_a_lost_graph_is_noticed_although_chroma_says_nothing(part: Part, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(module.HNSW, "sync_threshold", 100)
    part.add(*(incident(f"I-{i}", f"cart {i}") for i in range(300)))
    part.index.close()
    for graph in (part.home / "chroma").iterdir():
        if graph.is_dir():
            shutil.rmtree(graph)
    part.reopen()
    with pytest.raises(StorageError, match="reindex"):
        part.found("cart", k=200)


def test_vectors_of_a_memory_that_was_replaced_are_not_used(part: Part, tmp_path: Path) -> None:
    part.add(incident("A", "cart"))
    part.index.close()
    database = open_database(tmp_path / "other" / "qa-agents.db")
    store = IncidentStore(database)
    store.upsert([incident("Z", "cart")])
    replaced = VectorIndex(part.home, store, part.embedder)
    assert replaced.count() == 0
    assert replaced.behind() == 1
    replaced.close()
    database.close()


def test_an_index_ahead_of_its_store_is_looked_through_again(part: Part) -> None:
    part.add(incident("A", "cart"))
    part.index.add([], covered=999)
    assert part.index.covered() == 0
    assert part.catch_up() == 0
    assert part.index.covered() == 1


def test_a_home_that_cannot_be_written_is_a_storage_error(part: Part, tmp_path: Path) -> None:
    part.store.upsert([incident("A", "cart")])
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StorageError):
        VectorIndex(tmp_path / "file", part.store, part.embedder).catch_up(text_for_embedding)


def test_a_server_that_is_not_there_is_a_storage_error(part: Part) -> None:
    part.store.upsert([incident("A", "cart")])
    with pytest.raises(StorageError):
        VectorIndex(part.home, part.store, part.embedder, url="http://127.0.0.1:9").count()


def test_an_address_that_is_none_is_refused(part: Part) -> None:
    part.store.upsert([incident("A", "cart")])
    with pytest.raises(InvalidInputError):
        VectorIndex(part.home, part.store, part.embedder, url="http://host:port").count()


KILLED = """
import os, signal, sys
from pathlib import Path
from qa_agents.incidents import vectors
from qa_agents.incidents.embedders import text_for_embedding
from qa_agents.incidents.store import IncidentStore
from qa_agents.storage.engine import open_database
from qa_agents.testing.embedder import HashingEmbedder

home = Path(sys.argv[1])
vectors.BATCH = 10
def kill(what, done, total):
    if done >= 20:
        os.kill(os.getpid(), signal.SIGKILL)
store = IncidentStore(open_database(home / "qa-agents.db"))
vectors.VectorIndex(home, store, HashingEmbedder()).catch_up(text_for_embedding, kill)
"""


@pytest.mark.slow
def test_a_killed_process_frees_the_index_and_loses_nothing_it_had_acknowledged(part: Part) -> None:
    part.store.upsert([incident(f"I-{i}", f"cart {i}") for i in range(35)])
    killed = subprocess.run([sys.executable, "-c", KILLED, str(part.home)], check=False, capture_output=True)
    assert killed.returncode == -signal.SIGKILL
    assert part.index.count() == 20
    assert part.catch_up() == 15
    assert sorted(part.found("cart", k=50)) == sorted(f"I-{i}" for i in range(35))


@pytest.fixture
def chroma_server(tmp_path: Path) -> Iterator[str]:
    command = Path(sys.executable).with_name("chroma")
    if not command.exists():
        pytest.skip("the chroma command is not installed")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    arguments = [command, "run", "--host", "127.0.0.1", "--port", str(port), "--path", tmp_path / "server"]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as server:
        assert server.stdout is not None
        assert any("listening on address" in line for line in server.stdout)
        yield f"http://127.0.0.1:{port}"
        server.kill()


@pytest.mark.slow
def test_a_chroma_server_serves_several_memories_at_once(part: Part, tmp_path: Path, chroma_server: str) -> None:
    database = open_database(tmp_path / "other" / "qa-agents.db")
    other_store = IncidentStore(database)
    one = VectorIndex(part.home, part.store, part.embedder, url=chroma_server)
    other = VectorIndex(tmp_path / "other", other_store, part.embedder, url=chroma_server)
    part.store.upsert([incident("A", "cart")])
    other_store.upsert([incident("X", "login"), incident("Y", "export")])
    assert one.catch_up(text_for_embedding) == 1
    assert other.catch_up(text_for_embedding) == 2
    assert (one.count(), other.count()) == (1, 2)
    second = VectorIndex(part.home, part.store, part.embedder, url=chroma_server)
    [(_, cosine)] = second.search(np.asarray(part.embedder.embed(["cart"])[0]), 5, LATER)
    assert cosine == pytest.approx(1.0, abs=1e-5)
    other.reset()
    assert (one.count(), other.count()) == (1, 0)
    database.close()


def test_what_is_remembered_is_only_what_is_needed(part: Part) -> None:
    part.add(incident("A", "secret words", reporter="someone"))
    collection = part.index._collection()
    assert collection is not None
    stored = collection.get(include=["metadatas", "documents"])
    assert set(json.loads(json.dumps(stored["metadatas"]))[0]) == {"created", "text"}
    assert stored["documents"] == [None]
