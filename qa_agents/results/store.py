"""The runs that were kept: added once, found by branch and commit, read back whole or as columns, and pruned."""

import hashlib
import itertools
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple, TypeVar

import numpy as np
from pydantic import BaseModel, ConfigDict
from sqlalchemy import ColumnElement, Connection, Select, and_, delete, insert, or_, select, update

from qa_agents.errors import ConflictError, NotFoundError, UsageError
from qa_agents.results.packing import OUTCOMES, Columns, pack_columns, pack_json, unpack_columns, unpack_json
from qa_agents.results.schema import Coverage, Outcome, ReadFile, Run, RunInfo, ScoredOutput, TestResult
from qa_agents.storage.engine import Database
from qa_agents.storage.tables import result_runs, result_tests

_Item = TypeVar("_Item")
_IN_CHUNK = 5_000
_EXTRAS = ("message", "details", "file", "line", "attempts", "tags")
_HEAD = (
    result_runs.c.pk,
    result_runs.c.run_id,
    result_runs.c.commit_id,
    result_runs.c.branch,
    result_runs.c.environment,
    result_runs.c.at,
    result_runs.c.added_at,
    result_runs.c.digest,
    result_runs.c.counts,
    result_runs.c.is_green,
    result_runs.c.pinned,
    result_runs.c.body,
)


class StoredRun(BaseModel):
    """What is known of a kept run without reading its results."""

    model_config = ConfigDict(frozen=True)

    info: RunInfo
    added_at: datetime
    digest: str
    """SHA-256 over where it comes from and everything in it: what a sign-off or certificate is bound to."""
    counts: dict[Outcome, int]
    outputs: int
    is_green: bool
    """It has results, and none of them failed or broke."""
    is_whole: bool = True
    """Nothing that should have been read was damaged or cut off, and it holds something."""
    pinned: str = ""
    """Why it must not be pruned; "" where it may."""

    @property
    def tests(self) -> int:
        """How many results it holds."""
        return sum(self.counts.values())

    @property
    def when(self) -> datetime:
        """When it ran; when it was added, where that is not known."""
        return self.info.at or self.added_at


class Added(NamedTuple):
    """The id under which a run is kept, and whether it was new."""

    run_id: str
    is_new: bool


class TestName(NamedTuple):
    """A test as the runs name it."""

    suite: str
    name: str

    @property
    def test_id(self) -> str:
        """What identifies the test across runs; as TestResult.test_id."""
        return f"{self.suite}::{self.name}" if self.suite else self.name


class Outline(NamedTuple):
    """What is needed of an earlier run to judge a later one."""

    columns: Columns
    failures: tuple[TestResult, ...]
    """The failed and broken results in the run's order, with what they say."""


class RunStore:
    """Runs in the database, each with its results packed; every method is one transaction.

    Order is always by when a run ran (where unknown: was added), then by when it was added.
    """

    def __init__(self, db: Database) -> None:
        self._db = db

    def add(self, run: Run) -> Added:
        """Keep a run under its id. The same run again changes nothing.

        Raises ConflictError when another run is kept under that id.
        """
        digest = run_digest(run)
        now = time.time()
        with self._db.write() as connection:
            known = connection.execute(
                select(result_runs.c.digest).where(result_runs.c.run_id == run.info.run_id)
            ).scalar()
            if known == digest:
                return Added(run.info.run_id, False)
            if known is not None:
                raise ConflictError(
                    f"Another run is already kept as {run.info.run_id}.",
                    hint="Choose another --run-id, or remove that one with `qa-agents runs prune --run`.",
                )
            keys = self._intern(connection, run.results)
            counts = Counter(result.outcome for result in run.results)
            red = {at: _extras(result) for at, result in enumerate(run.results) if result.is_red}
            rest = {
                at: extras for at, result in enumerate(run.results) if at not in red and (extras := _extras(result))
            }
            connection.execute(
                insert(result_runs).values(
                    run_id=run.info.run_id,
                    digest=digest,
                    commit_id=run.info.commit,
                    branch=run.info.branch,
                    environment=run.info.environment,
                    at=run.info.at.timestamp() if run.info.at else now,
                    added_at=now,
                    counts=dict(counts),
                    is_green=int(bool(run.results) and not red),
                    body={
                        "at": run.info.at.isoformat() if run.info.at else None,
                        "outputs": len(run.outputs),
                        "coverage": run.coverage.model_dump() if run.coverage else None,
                        "files": [file.model_dump(mode="json") for file in run.files],
                    },
                    packed=pack_columns(keys, run.results),
                    red=pack_json({at: extras for at, extras in red.items() if extras}),
                    rest=pack_json(rest),
                    outputs=pack_json([output.model_dump(mode="json") for output in run.outputs]),
                )
            )
        return Added(run.info.run_id, True)

    def get(self, run_id: str) -> Run:
        """A kept run, whole. Durations come back to the microsecond. Raises NotFoundError."""
        with self._db.read() as connection:
            row = connection.execute(select(result_runs).where(result_runs.c.run_id == run_id)).first()
            if row is None:
                raise _no_run(run_id)
            columns = unpack_columns(row.packed)
            names = self._names(connection, columns.tests.tolist())
        stored = _stored(row)
        extras = unpack_json(row.red) | unpack_json(row.rest)
        return Run(
            info=stored.info,
            results=tuple(_results(columns, names, extras)),
            outputs=tuple(ScoredOutput.model_validate(output) for output in unpack_json(row.outputs)),
            coverage=Coverage.model_validate(row.body["coverage"]) if row.body["coverage"] else None,
            files=tuple(ReadFile.model_validate(file) for file in row.body["files"]),
        )

    def head(self, run_id: str) -> StoredRun:
        """What is known of one run without its results. Raises NotFoundError."""
        with self._db.read() as connection:
            row = connection.execute(select(*_HEAD).where(result_runs.c.run_id == run_id)).first()
        if row is None:
            raise _no_run(run_id)
        return _stored(row)

    def find(
        self,
        *,
        branch: str | None = None,
        commit: str | None = None,
        environment: str | None = None,
        before: str | None = None,
        green: bool | None = None,
        limit: int | None = None,
    ) -> list[StoredRun]:
        """Kept runs that match everything given, newest first; `commit` may be the start of one.

        `before`: only runs that ran before the run of this id (or, should it not be kept, any). None matches all.
        """
        with self._db.read() as connection:
            query = self._matching(connection, select(*_HEAD), branch, commit, environment, before, green, limit)
            return [_stored(row) for row in connection.execute(query)]

    def last_green(
        self, *, branch: str | None = None, environment: str | None = None, before: str | None = None
    ) -> StoredRun | None:
        """The newest run without a failure; None where there is none."""
        found = self.find(branch=branch, environment=environment, before=before, green=True, limit=1)
        return found[0] if found else None

    def outline(self, run_id: str) -> Outline:
        """One run's results as columns, and what failed of it whole. Raises NotFoundError."""
        with self._db.read() as connection:
            row = connection.execute(
                select(result_runs.c.packed, result_runs.c.red).where(result_runs.c.run_id == run_id)
            ).first()
            if row is None:
                raise _no_run(run_id)
            columns = unpack_columns(row.packed)
            at = np.flatnonzero(columns.red)
            names = self._names(connection, columns.tests[at].tolist()) if at.size else {}
        failures = _results(columns, names, unpack_json(row.red), at.tolist()) if at.size else ()
        return Outline(columns, tuple(failures))

    def tests(self, keys: Iterable[int] | None = None) -> dict[int, TestName]:
        """Suite and name of each key that is known; of every test without `keys`."""
        with self._db.read() as connection:
            return self._names(connection, keys)

    def pin(self, run_id: str, why: str) -> None:
        """Keep a run from being pruned, or let it go again with `why` empty. Raises NotFoundError."""
        with self._db.write() as connection:
            changed = connection.execute(
                update(result_runs).where(result_runs.c.run_id == run_id).values(pinned=why)
            ).rowcount
        if not changed:
            raise _no_run(run_id)

    def prunable(self, *, keep: int | None = None, older_than: datetime | None = None) -> list[StoredRun]:
        """What may go, newest first: what is beyond the newest `keep` of its branch and environment, and older than that moment.

        With both given, a run must be both. Pinned runs never are, nor is the last green run of a branch and environment.
        Raises UsageError when neither is given.
        """
        if keep is None and older_than is None:
            raise UsageError("Which runs may go?", hint="Say --keep N, --older-than 90d or --run ID.")
        chosen, seen, has_green = [], Counter[tuple[str, str]](), set[tuple[str, str]]()
        for run in self.find():
            line = run.info.branch, run.info.environment
            seen[line] += 1
            is_last_green = run.is_green and line not in has_green
            if run.is_green:
                has_green.add(line)
            beyond = keep is None or seen[line] > keep
            old = older_than is None or run.when < older_than
            if beyond and old and not run.pinned and not is_last_green:
                chosen.append(run)
        return chosen

    def remove(self, run_ids: Sequence[str]) -> int:
        """Remove these runs, pinned ones too, and the names of tests that no run knows any more; how many there were."""
        removed = 0
        with self._db.write() as connection:
            for chunk in _chunks(run_ids):
                removed += connection.execute(delete(result_runs).where(result_runs.c.run_id.in_(chunk))).rowcount
            if removed:
                self._forget_unused(connection)
        return removed

    def _matching(
        self,
        connection: Connection,
        query: Select[Any],
        branch: str | None,
        commit: str | None,
        environment: str | None,
        before: str | None,
        green: bool | None,
        limit: int | None,
    ) -> Select[Any]:
        table = result_runs.c
        conditions: list[ColumnElement[bool]] = []
        if branch is not None:
            conditions.append(table.branch == branch)
        if commit is not None:
            conditions.append(table.commit_id.startswith(commit, autoescape=True))
        if environment is not None:
            conditions.append(table.environment == environment)
        if green is not None:
            conditions.append(table.is_green == int(green))
        if before is not None:
            place = connection.execute(select(table.at, table.pk).where(table.run_id == before)).first()
            if place is not None:
                conditions.append(or_(table.at < place.at, and_(table.at == place.at, table.pk < place.pk)))
        return query.where(*conditions).order_by(table.at.desc(), table.pk.desc()).limit(limit)

    def _intern(self, connection: Connection, results: Sequence[TestResult]) -> list[int]:
        names = {_test_digest(result.suite, result.name): (result.suite, result.name) for result in results}
        known = self._known(connection, names)
        new = [
            {"digest": digest, "suite": _storable(name[0]), "name": _storable(name[1])}
            for digest, name in names.items()
            if name not in known
        ]
        for chunk in _chunks(new):
            connection.execute(insert(result_tests), list(chunk))
        if new:
            known = self._known(connection, names)
        return [known[result.suite, result.name] for result in results]

    def _known(self, connection: Connection, names: dict[str, tuple[str, str]]) -> dict[tuple[str, str], int]:
        table = result_tests.c
        return {
            names[row.digest]: row.key
            for chunk in _chunks(list(names))
            for row in connection.execute(select(table.digest, table.key).where(table.digest.in_(chunk)))
        }

    def _names(self, connection: Connection, keys: Iterable[int] | None) -> dict[int, TestName]:
        table = result_tests.c
        query = select(table.key, table.suite, table.name)
        if keys is None:
            return {row.key: TestName(row.suite, row.name) for row in connection.execute(query)}
        return {
            row.key: TestName(row.suite, row.name)
            for chunk in _chunks(sorted(set(keys)))
            for row in connection.execute(query.where(table.key.in_(chunk)))
        }

    def _forget_unused(self, connection: Connection) -> None:
        used: set[int] = set()
        for (packed,) in connection.execute(select(result_runs.c.packed)):
            used.update(np.unique(unpack_columns(packed).tests).tolist())
        known = connection.execute(select(result_tests.c.key)).scalars()
        for chunk in _chunks([key for key in known if key not in used]):
            connection.execute(delete(result_tests).where(result_tests.c.key.in_(chunk)))


def run_digest(run: Run) -> str:
    """SHA-256 over a run: where it comes from, its results, outputs and coverage. The names of its files are left out."""
    hashed = hashlib.sha256(run.info.model_dump_json().encode("utf-8", "replace"))
    for part in itertools.chain(run.results, run.outputs, (run.coverage,) if run.coverage else ()):
        hashed.update(b"\n" + part.model_dump_json().encode("utf-8", "replace"))
    return hashed.hexdigest()


def _stored(row: Any) -> StoredRun:
    at = row.body["at"]
    return StoredRun(
        info=RunInfo(
            run_id=row.run_id,
            commit=row.commit_id,
            branch=row.branch,
            environment=row.environment,
            at=datetime.fromisoformat(at) if at else None,
        ),
        added_at=datetime.fromtimestamp(row.added_at, UTC),
        digest=row.digest,
        counts=row.counts,
        outputs=row.body["outputs"],
        is_green=bool(row.is_green),
        is_whole=all(file["is_whole"] for file in row.body["files"])
        and bool(any(row.counts.values()) or row.body["outputs"] or row.body["coverage"]),
        pinned=row.pinned,
    )


def _results(
    columns: Columns, names: dict[int, TestName], extras: dict[str, dict[str, Any]], at: Iterable[int] | None = None
) -> Iterator[TestResult]:
    for place in range(len(columns)) if at is None else at:
        suite, name = names[int(columns.tests[place])]
        seconds = float(columns.seconds[place])
        yield TestResult(
            suite=suite,
            name=name,
            outcome=OUTCOMES[columns.outcomes[place]],
            seconds=None if seconds != seconds else seconds,
            **extras.get(str(place), {}),
        )


def _extras(result: TestResult) -> dict[str, Any]:
    return {name: value for name in _EXTRAS if (value := getattr(result, name)) not in ("", None, ())}


def _test_digest(suite: str, name: str) -> str:
    return hashlib.sha256(f"{suite}\0{name}".encode("utf-8", "surrogatepass")).hexdigest()[:32]


def _storable(text: str) -> str:
    """PostgreSQL keeps no NUL and UTF-8 no lone surrogate; readers take both out, and other callers may not have."""
    return text.replace("\0", "\ufffd").encode("utf-8", "replace").decode("utf-8")


def _chunks(items: Sequence[_Item]) -> Iterator[Sequence[_Item]]:
    for start in range(0, len(items), _IN_CHUNK):
        yield items[start : start + _IN_CHUNK]


def _no_run(run_id: str) -> NotFoundError:
    return NotFoundError(f"No run is kept as {run_id}.", hint="`qa-agents runs list` shows those that are.")
