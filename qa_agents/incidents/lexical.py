"""The lexical index: persistent, incremental, derived from the store and rebuilt from it whenever it is in doubt.

A log-structured merge over immutable segments: new documents gather in a tail in memory, the tail becomes a segment
file, and neighbouring files of like size are merged, so that one document more costs the same at 100 and at 100,000.
The manifest, replaced atomically after the files it names, is the only thing that says what is there. Several
processes may hold the index: each reads what the store has newer than its own state; files are written under a lock,
and whoever comes second takes over what the first wrote.
"""

import contextlib
import os
import threading
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from uuid import uuid4

import numpy as np
from filelock import FileLock, Timeout
from numpy.typing import NDArray
from pydantic import BaseModel, ValidationError

from qa_agents.errors import StorageError
from qa_agents.incidents.bm25f import Mask, Scores, Snapshot, score
from qa_agents.incidents.schema import Incident, Report
from qa_agents.incidents.segments import Document, Segment, merge, open_segment, write_segment
from qa_agents.incidents.store import Change, IncidentStore
from qa_agents.incidents.tokens import TOKENIZER_VERSION, Analysed, analyse, line_shapes, surfaces

FORMAT = 1
BOILERPLATE = 15
"""A description line that this many reports hold (digits aside) is a template's, not the reporter's."""
INDEXED_CHARS = 200_000
"""How much of a description is read."""
COMPARED_CHARS = 10_000
"""How much of a description is looked at for words to show."""
SHARED_WORDS = 8
READ_BATCH = 1_000
TAIL_LIMIT = 128
"""Documents kept in memory only; a process that starts reads at most so many again."""
BULK_LIMIT = 4_096
"""Documents gathered before a file is written while much is being caught up."""
MERGE_RATIO = 3
"""Neighbouring segments are merged until each is at least so many times the size of the next."""
LOCK_SECONDS = 5.0
OPEN_ATTEMPTS = 3
"""Another process may replace the manifest and sweep its files while they are being opened."""

Progress = Callable[[str, int, int], None]
"""Called with (stage, done, total)."""


class Manifest(BaseModel):
    """What is on disk and what it covers."""

    format: int = FORMAT
    tokenizer: str = TOKENIZER_VERSION
    store: str = ""
    """Identity of the memory the index was made from."""
    seq: int = 0
    segments: list[str] = []


@dataclass(frozen=True, slots=True)
class LexicalHit:
    """One document found; `ratio` is its score divided by the query's score against itself."""

    pk: int
    score: float
    ratio: float


class LexicalIndex:
    """BM25F over the memory's summaries and descriptions. Safe for threads; cheap to open."""

    version = f"{FORMAT}.{TOKENIZER_VERSION}"

    def __init__(self, folder: Path, store: IncidentStore) -> None:
        self._folder, self._store = folder, store
        self._lock = threading.RLock()
        self._manifest = Manifest()
        self._segments: list[Segment] = []
        self._alive: list[Mask] = []
        self._tail: dict[int, Document] = {}
        self._tail_shapes: Counter[int] = Counter()
        self._seq = 0
        self._snapshot: Snapshot | None = None
        self._opened = False

    def catch_up(self, progress: Progress | None = None) -> int:
        """Index what the store has newer than this index; returns how many incidents that were.

        A missing, damaged or foreign index is rebuilt from the store. A disk that is full or read-only is no error: the
        index then lives in memory.
        """
        with self._lock:
            last, identity = self._store.last_seq(), self._store.identity()
            if not self._opened or self._manifest.store not in ("", identity) or self._seq > last:
                self._open(identity, last)
            if self._seq == last:
                return 0
            done, total = 0, self._store.count_changes(self._seq) if progress else 0
            while changes := self._store.changes(self._seq, READ_BATCH):
                self._add(changes)
                done += len(changes)
                if progress:
                    progress("words", done, max(total, done))
                if len(self._tail) >= BULK_LIMIT:
                    self._flush(identity)
            if len(self._tail) >= TAIL_LIMIT:
                self._flush(identity)
            return done

    def rebuild(self, progress: Progress | None = None) -> int:
        """Start the index anew from the store."""
        with self._lock:
            with contextlib.suppress(OSError):
                (self._folder / "manifest.json").unlink(missing_ok=True)
            self._opened = False
            return self.catch_up(progress)

    def purge(self) -> None:
        """Write the index anew from what lives, so that nothing of replaced incidents stays in its files.

        Raises StorageError when the files cannot be written; repeating is safe.
        """
        with self._lock:
            self.catch_up()
            try:
                self._folder.mkdir(parents=True, exist_ok=True)
                with FileLock(self._folder / "write.lock", timeout=LOCK_SECONDS):
                    self._adopt()
                    if self._segments or self._tail:
                        self._write(self._store.identity(), purged=True)
                    _sweep(self._folder, self._manifest.segments)
            except (OSError, ValueError, Timeout) as error:
                raise StorageError(
                    f"The word index could not be written anew ({type(error).__name__}).",
                    hint="`qa-agents incidents reindex` does it later.",
                ) from None

    def search(self, query: Report, k: int, as_of: datetime, exclude: Collection[int] = ()) -> list[LexicalHit]:
        """The k best incidents created before `as_of`, best first, of what was caught up."""
        scores = self.score(self.without_boilerplate(query, as_of), as_of)
        rows = scores.top(k, exclude)
        found = zip(scores.snapshot.pk[rows], scores.values[rows], scores.ratios(rows), strict=True)
        return [LexicalHit(int(pk), float(value), float(ratio)) for pk, value, ratio in found]

    def score(self, query: Report, as_of: datetime) -> Scores:
        """Every incident's score for a query from which boilerplate was already taken."""
        return score(self._current(), _analysed(query), as_of.timestamp())

    def analysed(self, query: Report) -> Analysed:
        """The query's terms, of as much of it as is read."""
        return _analysed(query)

    def without_boilerplate(self, report: Report, as_of: datetime) -> Report:
        """The report without description lines that BOILERPLATE incidents from before `as_of` hold.

        What lies beyond INDEXED_CHARS is left out.
        """
        description = report.description[:INDEXED_CHARS]
        lines = line_shapes(description)
        snapshot = self._current()
        common = _common(_distinct(lines), snapshot, snapshot.before(as_of.timestamp()))
        return report.model_copy(update={"description": _kept(description, lines, common)})

    def shared_terms(self, query: Report, incident: Incident, as_of: datetime) -> list[str]:
        """Up to SHARED_WORDS words both texts hold, rarest in the memory of `as_of` first, as the query writes them.

        Parts of a name that is shared whole are not told again.
        """
        return self.sharing(query, as_of)(incident)

    def sharing(self, query: Report, as_of: datetime) -> Callable[[Incident], list[str]]:
        """shared_terms of one query with several incidents."""
        readable, terms, snapshot = surfaces(query), _analysed(query).terms, self._current()
        before = snapshot.before(as_of.timestamp())
        frequency = dict(zip(terms.tolist(), snapshot.frequencies(terms, before).tolist(), strict=True))
        known = [term for term in frequency if term in readable]
        rare_first = sorted(known, key=lambda term: (frequency[term], -len(readable[term])))

        def shared(incident: Incident) -> list[str]:
            held = set(analyse(incident.summary, incident.description[:COMPARED_CHARS]).terms.tolist())
            words: list[str] = []
            for word in (readable[term] for term in rare_first if term in held):
                if len(words) < SHARED_WORDS and not any(word in longer for longer in words):
                    words.append(word)
            return words

        return shared

    def candidates_before(self, as_of: datetime) -> int:
        """How many incidents were created before `as_of`."""
        return int(np.count_nonzero(self._current().before(as_of.timestamp())))

    def _current(self) -> Snapshot:
        with self._lock:
            if self._snapshot is None:
                tail = [Segment.build(list(self._tail.values()))] if self._tail else []
                living = [np.ones(len(segment), np.bool_) for segment in tail]
                self._snapshot = Snapshot.of([*self._segments, *tail], [*self._alive, *living])
            return self._snapshot

    def _add(self, changes: Sequence[Change]) -> None:
        read = [_Read.of(change) for change in changes]
        committed = Snapshot.of(self._segments, self._alive)
        shapes = np.unique(np.array([shape for one in read for shape in one.shapes], np.uint64))
        counts = dict(zip(shapes.tolist(), committed.shape_frequencies(shapes, committed.alive).tolist(), strict=True))
        for one in read:
            self._forget(one.change.pk)
            common = {s for s in one.shapes if counts[s] + self._tail_shapes[s] >= BOILERPLATE}
            self._tail[one.change.pk] = one.document(common)
            self._tail_shapes.update(one.shapes)
        self._bury(self._segments, self._alive, [change.pk for change in changes])
        self._seq = changes[-1].seq
        self._snapshot = None

    def _forget(self, pk: int) -> None:
        """Take an older version of a document out of the tail."""
        if old := self._tail.pop(pk, None):
            self._tail_shapes.subtract(old.analysed.shapes.tolist())

    @staticmethod
    def _bury(segments: Sequence[Segment], alive: Sequence[Mask], pks: Sequence[int] | NDArray[np.int64]) -> None:
        """Mark older versions of these documents as superseded."""
        keys = np.asarray(pks, np.int64)
        for segment, living in zip(segments, alive, strict=True):
            living[segment.rows(keys)] = False

    def _open(self, identity: str, last: int) -> None:
        """Load what is on disk, or start anew when it is missing, damaged, of another release or of another memory."""
        self._opened = True
        self._tail, self._tail_shapes = {}, Counter()
        for _ in range(OPEN_ATTEMPTS):
            manifest = _read_manifest(self._folder)
            if manifest and manifest.store == identity and manifest.seq <= last:
                with contextlib.suppress(OSError, ValueError):
                    self._load(manifest)
                    return
        self._load(Manifest(store=identity))

    def _load(self, manifest: Manifest) -> None:
        """Adopt the manifest's segments, keeping of the tail only what they do not cover yet."""
        segments = [open_segment(self._folder / name) for name in manifest.segments]
        alive = [np.ones(len(segment), np.bool_) for segment in segments]
        for i in range(1, len(segments)):
            self._bury(segments[:i], alive[:i], segments[i].pk)
        kept = [d for d in self._tail.values() if d.seq > manifest.seq and manifest.store == self._manifest.store]
        self._bury(segments, alive, [document.pk for document in kept])
        self._segments, self._alive, self._manifest = segments, alive, manifest
        self._tail = {document.pk: document for document in kept}
        self._tail_shapes = Counter(shape for d in kept for shape in d.analysed.shapes.tolist())
        self._seq = max([manifest.seq, *(document.seq for document in kept)])
        self._snapshot = None

    def _flush(self, identity: str) -> None:
        """Write the tail as a segment, merge what has grown alike, replace the manifest."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            with FileLock(self._folder / "write.lock", timeout=LOCK_SECONDS):
                self._adopt()
                if self._tail:
                    self._write(identity)
                _sweep(self._folder, self._manifest.segments)
        except (OSError, ValueError, Timeout):
            return  # derived data: it stays in memory, and the next flush tries again

    def _adopt(self) -> None:
        """Take over what another process wrote since."""
        disk = _read_manifest(self._folder)
        if disk and disk.store == self._manifest.store and disk.seq >= self._manifest.seq and disk != self._manifest:
            with contextlib.suppress(OSError, ValueError):
                self._load(disk)

    def _write(self, identity: str, *, purged: bool = False) -> None:
        """Write the tail, merged with what has grown alike; `purged`: with everything, the dead left out."""
        segments, alive = list(self._segments), list(self._alive)
        whole = all((self._folder / name).exists() for name in self._manifest.segments)
        if self._tail:
            segments.append(Segment.build(list(self._tail.values())))
            alive.append(np.ones(len(segments[-1]), np.bool_))
        # Somebody deleted files we have mapped: everything is written again.
        while len(segments) > 1 and (purged or not whole or alive[-2].sum() < MERGE_RATIO * len(segments[-1])):
            segments[-2:] = [merge(segments[-2:], alive[-2:])]
            alive[-2:] = [np.ones(len(segments[-1]), np.bool_)]
        if purged and not alive[-1].all():
            segments[-1:] = [merge(segments[-1:], alive[-1:])]
            alive[-1:] = [np.ones(len(segments[-1]), np.bool_)]
        names = self._manifest.segments[: len(segments) - 1]
        names.append(f"{uuid4().hex}.seg")
        write_segment(self._folder / names[-1], segments[-1])
        manifest = self._manifest.model_copy(update={"store": identity, "seq": self._seq, "segments": names})
        _write_manifest(self._folder, manifest)
        segments[-1] = open_segment(self._folder / names[-1])
        self._segments, self._alive, self._manifest = segments, alive, manifest
        self._tail, self._tail_shapes, self._snapshot = {}, Counter(), None


@dataclass(frozen=True, slots=True)
class _Read:
    """A change with its lines looked at."""

    change: Change
    description: str
    lines: list[tuple[str, int | None]]
    shapes: list[int]

    @classmethod
    def of(cls, change: Change) -> "_Read":
        description = change.incident.description[:INDEXED_CHARS]
        lines = line_shapes(description)
        return cls(change, description, lines, _distinct(lines))

    def document(self, common: Collection[int]) -> Document:
        incident = self.change.incident
        return Document(
            pk=self.change.pk,
            seq=self.change.seq,
            created=incident.created.timestamp() if incident.created else -np.inf,
            analysed=analyse(
                incident.summary, _kept(self.description, self.lines, common), np.array(self.shapes, np.uint64)
            ),
        )


def _analysed(report: Report) -> Analysed:
    return analyse(report.summary, report.description[:INDEXED_CHARS])


def _distinct(lines: Iterable[tuple[str, int | None]]) -> list[int]:
    return [shape for shape in dict.fromkeys(shape for _, shape in lines) if shape is not None]


def _common(shapes: Sequence[int], snapshot: Snapshot, allowed: Mask) -> set[int]:
    """Those of the line shapes that are boilerplate among the allowed documents."""
    counts = snapshot.shape_frequencies(np.array(shapes, np.uint64), allowed)
    return {shape for shape, count in zip(shapes, counts, strict=True) if count >= BOILERPLATE}


def _kept(text: str, lines: Sequence[tuple[str, int | None]], common: Collection[int]) -> str:
    return "\n".join(line for line, shape in lines if shape not in common) if common else text


def _read_manifest(folder: Path) -> Manifest | None:
    """What the manifest says; None when it is missing, unreadable or of another format or tokenizer."""
    try:
        manifest = Manifest.model_validate_json((folder / "manifest.json").read_bytes())
    except (OSError, ValidationError):
        return None
    return manifest if (manifest.format, manifest.tokenizer) == (FORMAT, TOKENIZER_VERSION) else None


def _write_manifest(folder: Path, manifest: Manifest) -> None:
    """Replace the manifest: readers see the old one or the new one, after a power cut too."""
    temporary = folder / f"manifest.{uuid4().hex}.tmp"
    with temporary.open("wb") as file:
        file.write(manifest.model_dump_json().encode())
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(folder / "manifest.json")


def _sweep(folder: Path, used: Collection[str]) -> None:
    """Delete files no manifest names; who has one mapped keeps it (or, on Windows, keeps it from being deleted)."""
    for path in (*folder.glob("*.seg"), *folder.glob("*.tmp")):
        if path.name not in used:
            with contextlib.suppress(OSError):
                path.unlink()
