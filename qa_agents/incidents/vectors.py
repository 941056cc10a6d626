"""The vector index: the one place that opens Chroma, embedded in the workspace or on a server.

Derived from the store: every vector is computed by our embedder and passed in, the collection's metadata says by
which, and up to which change of the store it is complete, so that catching up continues where a killed process
stopped. The embedded index belongs to one process at a time, because several writers lose entries without an error.
"""

import contextlib
import hashlib
import os
import shutil
import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import numpy as np
from filelock import FileLock, Timeout

from qa_agents.errors import ConflictError, InvalidInputError, QAAgentsError, StorageError, WorkspaceBusyError
from qa_agents.incidents.embedders import Embedder
from qa_agents.incidents.minilm import Vectors
from qa_agents.incidents.schema import Incident, Report
from qa_agents.incidents.store import Change, IncidentStore

if TYPE_CHECKING:
    from chromadb.api import ClientAPI
    from chromadb.api.models.Collection import Collection as ChromaCollection

BUSY_SECONDS = 5.0
BATCH = 128
"""Incidents embedded between two commits: what a killed process has to do again."""
HNSW: dict[str, Any] = {
    "space": "cosine", "ef_construction": 100, "max_neighbors": 16, "ef_search": 150, "batch_size": 100,
    "sync_threshold": 1_000, "num_threads": 2,
}  # fmt: skip
"""Finds 99 of the true 100 nearest of 100,000 bug reports in 8 ms."""
OVERFETCH = (1, 4, 16)
"""How many times too many are fetched before the time limit becomes part of the query, at ten times the cost."""
UNDATED = -1e15
"""`created` of an incident without a date: before every moment."""
_REINDEX = "Run `qa-agents incidents reindex`."


@dataclass(frozen=True, slots=True)
class VectorRow:
    """One incident's vector, with what is needed to filter it and to see whether its text changed."""

    pk: int
    vector: Vectors
    created: datetime | None
    text_sha: str


def text_sha(report: Report) -> str:
    """What the vector of a report depends on, as 16 hex digits."""
    return hashlib.sha256(report.text.encode("utf-8", "replace")).hexdigest()[:16]


class VectorIndex:
    """Nearest past incidents by cosine. Nothing is opened before the first use; close() gives the directory back."""

    def __init__(self, home: Path, store: IncidentStore, embedder: Embedder, *, url: str | None = None) -> None:
        self._home, self._store, self._embedder, self._url = home.resolve(), store, embedder, url
        self._file_lock = FileLock(self._home / "chroma.lock", thread_local=False)
        self._patience = BUSY_SECONDS
        self._lock, self._writing = threading.RLock(), threading.Lock()
        self._client: ClientAPI | None = None
        self._opened: ChromaCollection | None = None
        self._identity = ""

    def search(
        self, vector: Vectors, k: int, as_of: datetime, exclude: Collection[int] = ()
    ) -> list[tuple[int, float]]:
        """(pk, cosine) of the k nearest incidents created before `as_of`, nearest first.

        Raises WorkspaceBusyError, ConflictError (another embedder's vectors) or StorageError (damaged, unreachable).
        """
        collection = self._collection()
        if collection is None:
            return []
        wanted, moment = k + len(exclude), as_of.timestamp()
        with _mapped():
            for times in OVERFETCH:
                asked = times * (wanted + 16)
                hits = _query(collection, vector, asked)
                if len(hits) < asked:
                    _check_complete(len(hits), min(asked, collection.count()))
                kept = [(pk, cosine) for pk, cosine, created in hits if created < moment and pk not in exclude]
                if len(kept) >= k or len(hits) < asked:
                    return kept[:k]
            hits = _query(collection, vector, wanted, {"created": {"$lt": moment}})
            if len(hits) < wanted:  # the graph leads past what few were there then: look at each
                hits = _scan(collection, vector, moment)
            return [(pk, cosine) for pk, cosine, _ in hits if pk not in exclude][:k]

    def get_vectors(self, pks: Iterable[int]) -> dict[int, Vectors]:
        """The stored vectors of these incidents."""
        collection, ids = self._collection(), [str(pk) for pk in dict.fromkeys(pks)]
        if collection is None or not ids:
            return {}
        with _mapped():
            answer = collection.get(ids=ids, include=["embeddings"])
        vectors = np.asarray(answer["embeddings"], np.float32)
        return {int(id_): vector for id_, vector in zip(answer["ids"], vectors, strict=True)}

    def add(self, rows: Sequence[VectorRow], *, covered: int | None = None) -> None:
        """Store or replace the rows; `covered` says that every change up to this number is now in."""
        collection = self._collection(create=True)
        if collection is None:
            return
        with _mapped():
            if rows:
                collection.upsert(
                    ids=[str(row.pk) for row in rows],
                    embeddings=np.stack([row.vector for row in rows]),
                    metadatas=[{"created": _seconds(row.created), "text": row.text_sha} for row in rows],
                )
            if covered is not None:
                collection.modify(metadata={**(collection.metadata or {}), "seq": covered})

    def catch_up(
        self, text_of: Callable[[Incident], str], progress: Callable[[str, int, int], None] | None = None
    ) -> int:
        """Embed what the store has newer than the index; returns how many texts were embedded.

        An incident whose text did not change keeps its vector. A process killed meanwhile loses at most BATCH vectors.
        """
        with self._writing:
            return self._catch_up(text_of, progress)

    def _catch_up(self, text_of: Callable[[Incident], str], progress: Callable[[str, int, int], None] | None) -> int:
        embedded = done = 0
        covered = self.covered()
        total = self._store.count_changes(covered)
        while changes := self._store.changes(covered, BATCH):
            stale = self._refreshed(changes)
            vectors = list(self._embedder.embed([text_of(change.incident) for change in stale]) if stale else ())
            covered = changes[-1].seq
            self.add([row_of(*pair) for pair in zip(stale, vectors, strict=True)], covered=covered)
            embedded, done = embedded + len(stale), done + len(changes)
            if progress:
                progress("vectors", done, max(total, done))
        return embedded

    def covered(self) -> int:
        """The last change of the store up to which the index is complete; 0 when there is no index."""
        collection = self._collection()
        seq = int((collection.metadata or {}).get("seq", 0)) if collection is not None else 0
        # A store older than its index was restored from a copy: everything is looked at again.
        return seq if seq <= self._store.last_seq() else 0

    def behind(self) -> int:
        """How many changed incidents the index has not seen."""
        return self._store.count_changes(self.covered())

    def count(self) -> int:
        """How many vectors are stored."""
        collection = self._collection()
        if collection is None:
            return 0
        with _mapped():
            return int(collection.count())

    def reset(self) -> None:
        """Throw every vector away, also those of another embedder or of a damaged directory."""
        with self._lock:
            if self._url:
                self._delete_collection()
                return
            self._own()
            self._disconnect()
            try:
                shutil.rmtree(self._home / "chroma", ignore_errors=False)
            except FileNotFoundError:
                pass
            except OSError as error:
                raise StorageError(
                    f"The vector index cannot be deleted ({error.strerror}).", hint="Check the workspace's rights."
                ) from None

    def close(self) -> None:
        """Close Chroma and let other processes have the directory. The index opens again when it is used."""
        with self._lock:
            self._disconnect()
            self._file_lock.release(force=True)

    def _refreshed(self, changes: Sequence[Change]) -> list[Change]:
        """Bring the dates of the incidents up to date; returns those that need a new vector."""
        collection = self._collection(create=True)
        if collection is None:
            return []
        with _mapped():
            stored = collection.get(ids=[str(change.pk) for change in changes], include=["metadatas"])
            known = dict(zip(stored["ids"], stored["metadatas"] or [], strict=True))
            stale, dated = [], []
            for change in changes:
                old = known.get(str(change.pk)) or {}
                if old.get("text") != text_sha(change.incident):
                    stale.append(change)
                elif old.get("created") != _seconds(change.incident.created):
                    dated.append(change)
            if dated:
                collection.update(
                    ids=[str(change.pk) for change in dated],
                    metadatas=[{"created": _seconds(change.incident.created)} for change in dated],
                )
        return stale

    def _collection(self, *, create: bool = False) -> "ChromaCollection | None":
        """This memory's collection; None when there is none and none is to be created."""
        with self._lock:
            identity = self._store.identity()
            if not identity:
                return None
            if self._opened is None or identity != self._identity:
                self._opened, self._identity = self._find(f"incidents-{identity}", create), identity
            return self._opened

    def _find(self, name: str, create: bool) -> "ChromaCollection | None":
        if not create and not self._url and not (self._home / "chroma").exists():
            return None
        client = self._connected()
        with _mapped():
            names = {collection.name for collection in client.list_collections()}
            if name in names:
                collection = client.get_collection(name, embedding_function=None)
            elif create:
                collection = client.create_collection(
                    name,
                    embedding_function=None,
                    configuration={"hnsw": HNSW},  # type: ignore[arg-type]
                    metadata={"embedder": self._embedder.fingerprint, "seq": 0},
                )
            else:
                return None
        filled_by = (collection.metadata or {}).get("embedder")
        if filled_by != self._embedder.fingerprint:
            raise ConflictError(
                f"The vectors were made by {filled_by}, the embedder is now {self._embedder.fingerprint}.",
                hint=_REINDEX,
            )
        return collection

    def _delete_collection(self) -> None:
        client, name = self._connected(), f"incidents-{self._store.identity()}"
        with _mapped():
            if name in {collection.name for collection in client.list_collections()}:
                client.delete_collection(name)
        self._opened = None

    def _connected(self) -> "ClientAPI":
        if self._client is None:
            if not self._url:
                self._own()
            self._client = _open_client(self._home / "chroma", self._url)
        return self._client

    def _own(self) -> None:
        """Take the directory for this process. Raises WorkspaceBusyError naming who has it.

        The first attempt is patient, later ones are not: a reader waits once, not once a search.
        """
        if self._file_lock.is_locked:
            return
        owner = self._home / "chroma.owner"
        try:
            self._home.mkdir(parents=True, exist_ok=True)
            self._file_lock.acquire(timeout=self._patience)
            owner.write_text(str(os.getpid()))
        except Timeout:
            self._patience = 0.0
            raise WorkspaceBusyError(
                f"The vector index is in use by process {_read_owner(owner)}.",
                hint="Stop it, or set QA_AGENTS_CHROMA_URL to a Chroma server that several processes may use.",
            ) from None
        except OSError as error:
            raise StorageError(
                f"The vector index cannot be opened ({error.strerror}).", hint="Check the workspace's rights and space."
            ) from None

    def _disconnect(self) -> None:
        client, self._client, self._opened = self._client, None, None
        if client is not None:
            with contextlib.suppress(Exception):
                client.close()  # type: ignore[attr-defined]  # there, but not in the interface


def row_of(change: Change, vector: Vectors) -> VectorRow:
    """The row that stores a change's vector."""
    return VectorRow(change.pk, vector, change.incident.created, text_sha(change.incident))


def _open_client(folder: Path, url: str | None) -> "ClientAPI":
    with _mapped():
        import chromadb
        from chromadb.config import Settings

        settings = Settings(anonymized_telemetry=False)
        if url:
            server = urlsplit(url if "//" in url else f"//{url}")
            try:
                port = server.port or 8000
            except ValueError:
                raise InvalidInputError(f"The Chroma address {url} is wrong.", hint="http://host:8000, say.") from None
            return chromadb.HttpClient(
                server.hostname or "localhost", port, server.scheme == "https", settings=settings
            )
        try:
            return chromadb.PersistentClient(folder, settings=settings)
        except BaseException:
            # Chroma keeps the half-made system of a failed start, and would hand it out again after a repair.
            from chromadb.api.shared_system_client import SharedSystemClient

            SharedSystemClient.clear_system_cache()
            raise


def _query(
    collection: "ChromaCollection", vector: Vectors, n: int, where: dict[str, Any] | None = None
) -> list[tuple[int, float, float]]:
    """(pk, cosine, created) of the n nearest."""
    answer = collection.query(
        query_embeddings=vector[np.newaxis], n_results=n, where=where, include=["distances", "metadatas"]
    )
    distances, metadatas = answer["distances"], answer["metadatas"]
    if not distances or not metadatas:
        return []
    found = zip(answer["ids"][0], distances[0], metadatas[0], strict=True)
    return [(int(id_), 1.0 - float(distance), float(_number(meta["created"]))) for id_, distance, meta in found]


def _scan(collection: "ChromaCollection", vector: Vectors, moment: float) -> list[tuple[int, float, float]]:
    """(pk, cosine, created) of everything from before `moment`, nearest first, without the graph."""
    earlier: dict[str, Any] = {"created": {"$lt": moment}}
    answer = collection.get(where=earlier, include=["embeddings", "metadatas"])
    if not answer["ids"] or answer["embeddings"] is None or not answer["metadatas"]:
        return []
    cosines = np.asarray(answer["embeddings"], np.float32) @ vector
    found = zip(answer["ids"], cosines.tolist(), answer["metadatas"], strict=True)
    return sorted(
        ((int(id_), cosine, _number(meta["created"])) for id_, cosine, meta in found), key=lambda hit: -hit[1]
    )


def _check_complete(found: int, expected: int) -> None:
    """A graph file that was lost gives no error, only next to nothing. Raises StorageError."""
    if 2 * found < expected:
        raise StorageError(f"The vector index found {found} of {expected} entries: it is damaged.", hint=_REINDEX)


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) else UNDATED


def _seconds(moment: datetime | None) -> float:
    return UNDATED if moment is None else moment.timestamp()


def _read_owner(path: Path) -> str:
    try:
        return path.read_text()[:20].strip() or "unknown"
    except OSError:
        return "unknown"


@contextlib.contextmanager
def _mapped() -> Iterator[None]:
    """Whatever Chroma raises becomes one StorageError; its native core's panics are no Exception."""
    try:
        yield
    except QAAgentsError:
        raise
    except BaseException as error:
        if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
            raise
        said = (str(error).splitlines() or [type(error).__name__])[0][:200]
        full = any(sign in str(error).lower() for sign in ("disk is full", "no space left", "readonly database"))
        hint = "Free some space, or make the workspace writable, and repeat." if full else _REINDEX
        raise StorageError(f"The vector index could not be used ({said}).", hint=hint) from error
