"""The import loop: rows in batches to a writer, repeated ids settled, everything counted."""

import hashlib
import stat
import struct
import time
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, NamedTuple

import orjson
from pydantic import BaseModel, Field

from qa_agents.errors import InvalidInputError, NotFoundError, StorageError
from qa_agents.incidents.importers.reading import opened_rows
from qa_agents.incidents.importers.rows import OWN_EXTRAS, Row
from qa_agents.incidents.importers.source import PathOrDash, is_stdin
from qa_agents.incidents.schema import Incident

Outcome = Literal["imported", "updated", "unchanged", "stale"]
Write = Callable[[Sequence[Incident]], Sequence[Outcome]]
"""Stores a batch, all or nothing, and says for each incident what became of it. Within a batch no id occurs twice."""
Progress = Callable[[int, int, int | None], None]
"""Called with rows done, bytes read and bytes in all files; the last is None when one of them is a pipe."""

KEPT_REJECTIONS = 10_000
"""Rejections beyond are counted only: a report must not grow with a hostile file."""
_NOTED_COLUMNS = 20


class Rejection(BaseModel):
    """One row that was not imported."""

    file: str
    line: int
    """The physical line it starts on, from 1; 0 when the file as a whole was refused."""
    id: str | None = None
    reason: str


class ImportReport(BaseModel):
    """What an import did. imported + updated + unchanged + rejected = rows read."""

    imported: int = 0
    updated: int = 0
    unchanged: int = 0
    rejected: int = 0
    seconds: float = 0.0
    rejections: list[Rejection] = Field(default_factory=list)
    """The first 10,000 of them."""
    notes: list[str] = Field(default_factory=list)


def import_files(
    files: Sequence[PathOrDash],
    write: Write,
    *,
    format: str = "auto",
    progress: Progress | None = None,
    batch: int = 500,
    now: datetime | None = None,
) -> ImportReport:
    """Import every file in turn and report. Importing the same files again changes nothing.

    An id twice in one file: the same content counts as unchanged, a later `updated` wins, anything else is rejected.
    A file that cannot be read at all is a rejection when other files were read; otherwise NotFoundError or
    InvalidInputError is raised. Raises StorageError from `write`; the batches before it are kept.
    """
    started = time.monotonic()
    run = _Run(write, batch, progress, _total(files))
    refused: list[NotFoundError | InvalidInputError] = []
    for path in files:
        try:
            run.read(path, format, now or datetime.now(UTC))
        except (NotFoundError, InvalidInputError) as error:
            refused.append(error)
            run.reject(str(path), Row(0, None, str(error), ""))
    if refused and len(refused) == len(files):
        raise refused[0]
    return run.report(time.monotonic() - started)


class _Run:
    """What is carried from row to row and from file to file."""

    def __init__(self, write: Write, batch: int, progress: Progress | None, total: int | None) -> None:
        self._write, self._batch_size, self._progress, self._total = write, batch, progress, total
        self._counts: Counter[str] = Counter()
        self._rejections: list[Rejection] = []
        self._notes: dict[str, None] = {}
        self._columns: dict[str, None] = {}
        self._batch: dict[str, Incident] = {}
        self._rows = self._bytes = 0

    def read(self, path: PathOrDash, format: str, now: datetime) -> None:
        """One file, to its end."""
        seen = _Seen()
        with opened_rows(path, format, now) as stream:
            before, rows_before = self._bytes, self._rows
            for row in stream:
                self._rows += 1
                self._settle(stream.source.name, row, seen)
                if len(self._batch) >= self._batch_size:
                    self._flush()
                if self._rows % self._batch_size == 0:
                    self._tell(before + stream.source.bytes_read)
            self._flush()
            self._tell(before + stream.source.bytes_read)
            self._bytes = before + stream.source.bytes_read
            if self._rows == rows_before:
                self._note(f"{stream.source.name} holds no rows")
            for note in stream.notes:
                self._note(note)

    def reject(self, file: str, row: Row) -> None:
        self._counts["rejected"] += 1
        if len(self._rejections) < KEPT_REJECTIONS:
            self._rejections.append(Rejection(file=file, line=row.line, id=row.id, reason=row.reason or "is unusable"))

    def report(self, seconds: float) -> ImportReport:
        hidden = self._counts["rejected"] - len(self._rejections)
        columns = list(self._columns)
        notes = [f"kept unknown column `{_shown(name)}`" for name in columns[:_NOTED_COLUMNS]]
        if len(columns) > _NOTED_COLUMNS:
            notes.append(f"kept {len(columns) - _NOTED_COLUMNS} more unknown columns")
        if stale := self._counts["stale"]:
            notes.append(f"{stale} rows are older than what is known and changed nothing")
        if hidden > 0:
            notes.append(f"{hidden} more rejections are counted and not listed")
        return ImportReport(
            imported=self._counts["imported"],
            updated=self._counts["updated"],
            unchanged=self._counts["unchanged"] + self._counts["stale"],
            rejected=self._counts["rejected"],
            seconds=round(seconds, 3),
            rejections=self._rejections,
            notes=notes + list(self._notes),
        )

    def _settle(self, file: str, row: Row, seen: "_Seen") -> None:
        incident = row.incident
        if incident is None:
            self.reject(file, row)
            return
        verdict = seen.settle(incident, row.line)
        if verdict == "write":
            self._note_columns(incident)
            if incident.id in self._batch:  # the writer is promised no id twice in a batch
                self._flush()
            self._batch[incident.id] = incident
        elif verdict in ("unchanged", "stale"):
            self._counts[verdict] += 1
        else:
            self.reject(file, row._replace(reason=verdict))

    def _flush(self) -> None:
        if not self._batch:
            return
        waiting, self._batch = list(self._batch.values()), {}
        try:
            self._counts.update(self._write(waiting))
        except StorageError as error:
            kept = (
                self._counts["imported"] + self._counts["updated"] + self._counts["unchanged"] + self._counts["stale"]
            )
            hint = f"{error.hint} {kept} rows before are kept; importing the file again goes on from there."
            raise type(error)(error.message, hint=hint.strip()) from error

    def _tell(self, read: int) -> None:
        if self._progress:
            self._progress(self._rows, read, self._total)

    def _note(self, note: str) -> None:
        self._notes.setdefault(note)

    def _note_columns(self, incident: Incident) -> None:
        for name in incident.model_extra or ():
            if name not in OWN_EXTRAS and len(self._columns) < 10 * _NOTED_COLUMNS:
                self._columns.setdefault(name)


class _First(NamedTuple):
    line: int
    content: int
    updated: float
    """Seconds since the epoch; minus infinity when the row does not say."""


class _Seen:
    """The ids of one file with what their last valid row said, in some 200 bytes each."""

    _FORM = struct.Struct("<QQd")

    def __init__(self) -> None:
        self._rows: dict[bytes, bytes] = {}

    def settle(self, incident: Incident, line: int) -> str:
        """`write`, `unchanged`, `stale`, or the reason to reject this row."""
        key = hashlib.blake2b(incident.id.encode(), digest_size=12).digest()
        updated = incident.updated.timestamp() if incident.updated else float("-inf")
        row = _First(line, _content_hash(incident), updated)
        first = _First(*self._FORM.unpack(self._rows[key])) if key in self._rows else None
        if first is not None and first.content == row.content:
            return "unchanged"
        if first is None or row.updated > first.updated > float("-inf"):
            self._rows[key] = self._FORM.pack(*row)
            return "write"
        if float("-inf") < row.updated < first.updated:
            return "stale"
        return (
            f"second row with id {incident.id} (first on line {first.line}), and no later `updated` says which is right"
        )


def _content_hash(incident: Incident) -> int:
    body = {**incident.__dict__, **(incident.model_extra or {})}
    return int.from_bytes(
        hashlib.blake2b(orjson.dumps(body, option=orjson.OPT_SORT_KEYS), digest_size=8).digest(), "little"
    )


def _total(files: Sequence[PathOrDash]) -> int | None:
    """Bytes in all files; None when one is no regular file or missing (that is said when its turn comes)."""
    sizes = 0
    for path in files:
        try:
            status = None if is_stdin(path) else Path(path).stat()
        except (OSError, ValueError):
            return None
        if status is None or not stat.S_ISREG(status.st_mode):
            return None
        sizes += status.st_size
    return sizes


def _shown(name: str) -> str:
    return ascii(name[:60])[1:-1]
