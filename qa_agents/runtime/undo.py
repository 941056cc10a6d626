"""Undo: takes back what was done outside, newest first, wherever it is still ours."""

from collections.abc import Iterable
from itertools import groupby
from typing import Any

from pydantic import BaseModel, Field
from sqlalchemy import ColumnElement, Connection, Row, select

from qa_agents.checkpoint.ledger import Ledger
from qa_agents.errors import NotFoundError, StoppedError, UsageError
from qa_agents.runtime.lease import Leases
from qa_agents.runtime.outbox import Outbox, undo_key
from qa_agents.runtime.switch import stop_in_force
from qa_agents.storage.canonical import digest_of
from qa_agents.storage.engine import Database
from qa_agents.storage.tables import actions as table
from qa_agents.storage.tables import runs
from qa_agents.trackers.changes import ISSUE_PARTS, change, seen
from qa_agents.trackers.protocol import Tracker
from qa_agents.trackers.schema import Action, Applied, Issue, describe

KEY_PREFIX = 8
"""An action's key may be cut to this many characters, as long as it names one action."""


class UndoneAction(BaseModel):
    """One action that was taken back, or that needs no taking back."""

    key: str
    run_id: str
    target: str
    what: str
    """The action itself, in one line."""


class UndoConflict(UndoneAction):
    """One action that was left as it is, because somebody changed the place after us (values as `changes.seen` has them)."""

    ours: dict[str, Any]
    """What we wrote."""
    now: dict[str, Any]
    """What stands there now; empty when nothing does."""
    before: dict[str, Any]
    """What would have been restored."""


class Undone(BaseModel):
    """What became of an undo."""

    dry_run: bool = False
    undone: list[UndoneAction] = Field(default_factory=list)
    """Restored now (with `dry_run`: would be)."""
    conflicts: list[UndoConflict] = Field(default_factory=list)
    already: list[UndoneAction] = Field(default_factory=list)
    """Nothing to restore: undone earlier, put back by somebody else, or never a change."""
    cancelled: list[UndoneAction] = Field(default_factory=list)
    """Approved but not made yet; they will not be made."""
    erased: list[UndoneAction] = Field(default_factory=list)
    """Left as they are: what stood there before was erased on request."""


class Preview:
    """The tracker as it would be: what a dry run takes back, it takes back here."""

    def __init__(self, tracker: Tracker) -> None:
        self._tracker = tracker
        self._issues: dict[str, Issue | None] = {}

    def get(self, key: str) -> Issue | None:
        """The issue as it would be."""
        if key not in self._issues:
            self._issues[key] = self._tracker.get(key)
        return self._issues[key]

    def was_applied(self, key: str, idempotency_key: str) -> bool:
        """Whether the change is on the real issue."""
        return self._tracker.was_applied(key, idempotency_key)

    def take_back(self, inverse: Action) -> None:
        """Imagine the inverse made."""
        issue = self.get(inverse.target)
        if issue is not None:
            changed, _ = change(inverse, issue.model_dump(include=set(ISSUE_PARTS)))
            self._issues[inverse.target] = Issue(key=issue.key, version=issue.version, **changed)


class Undo:
    """Takes back actions through the outbox: under the run's lease, held by the stop switch, once each.

    "Still ours" is judged by value, before the write and again by the tracker in the write itself: a person who changed a value
    and then set ours again is not told apart from nobody having touched it.
    """

    def __init__(self, database: Database, tracker: Tracker, outbox: Outbox, ledger: Ledger) -> None:
        self._database = database
        self._tracker = tracker
        self._outbox = outbox
        self._ledger = ledger
        self._leases = Leases(database)

    def undo(
        self,
        name: str | None = None,
        *,
        by: str,
        since: float | None = None,
        dry_run: bool = False,
        while_stopped: bool = False,
    ) -> Undone:
        """Take back what `name` did (a run, an action or every run of a report), or everything done at or after `since`.

        Both together narrow it down. What was approved but not made yet is cancelled, unless `since` is given. Raises
        NotFoundError when there is nothing by that name, ConflictError when a run is being worked on, UnavailableError when the
        tracker cannot be reached: what was taken back until then stays so, repeating goes on. Undoing is an outside effect like
        any other: while they are stopped it raises StoppedError before anything is touched, unless `while_stopped`.
        """
        if name is None and since is None:
            raise UsageError(
                "Nothing was said to be undone.", hint="Name a run, an action or a report, or say --since."
            )
        with self._database.read() as connection:
            chosen = self._chosen(connection, name, since)
            stop = stop_in_force(connection)
        if stop is not None and not (dry_run or while_stopped) and any(row.state == "done" for row in chosen):
            raise StoppedError(
                str(stop),
                hint="Nothing was undone. --while-stopped takes back all the same, and everything else stays stopped.",
            )
        result = Undone(dry_run=dry_run)
        if dry_run:
            self._undo_rows(chosen, result, by, Preview(self._tracker))
            return result
        for run_id, rows in groupby(chosen, key=lambda row: str(row.run_id)):
            with self._leases.hold(run_id):
                self._undo_rows(self._again(rows), result, by, None, while_stopped)
        return result

    def _undo_rows(
        self, rows: Iterable[Row[Any]], result: Undone, by: str, preview: Preview | None, while_stopped: bool = False
    ) -> None:
        for row in rows:
            told = _told(row)
            if row.state == "done":
                self._undo_one(row, told, result, by, preview, while_stopped)
            elif row.state == "undone":
                result.already.append(told)
            elif preview is not None or self._outbox.cancel(row.run_id, [row.key], by):
                result.cancelled.append(told)
            else:
                # it had been made, only its answer was lost
                self._undo_rows(self._again([row]), result, by, None, while_stopped)

    def _undo_one(
        self,
        row: Row[Any],
        told: UndoneAction,
        result: Undone,
        by: str,
        preview: Preview | None,
        while_stopped: bool,
    ) -> None:
        if row.before is None:
            result.erased.append(told)
            return
        applied = Applied.model_validate(row.before)
        inverse, where = applied.inverse, preview or self._tracker
        if inverse is None:
            result.already.append(told)
            return
        now = _standing(where, inverse)
        ours = now == applied.after or where.was_applied(row.target, undo_key(row.key))
        if ours:
            if preview is not None:
                preview.take_back(inverse)
            if preview is not None or self._outbox.take_back(
                row.run_id, row.key, inverse, by, while_stopped=while_stopped
            ):
                result.undone.append(told)
                return
            now = _standing(where, inverse)  # somebody changed it between our look and our write
        if now == applied.before:
            result.already.append(told)
            return
        conflict = UndoConflict(**told.model_dump(), ours=applied.after, now=now, before=applied.before)
        result.conflicts.append(conflict)
        if preview is None and not ours:
            self._record(conflict, by)

    def _record(self, conflict: UndoConflict, by: str) -> None:
        """Put the conflict on record: digests only, the values may be anybody's words."""
        with self._database.write() as connection:
            self._ledger.append(
                connection,
                "undo_conflict",
                conflict.target,
                actor=by,
                undoes=conflict.key,
                ours_sha256=digest_of(conflict.ours),
                now_sha256=digest_of(conflict.now),
            )

    def _chosen(self, connection: Connection, name: str | None, since: float | None) -> list[Row[Any]]:
        """The rows meant, newest first."""
        query = select(table).where(table.c.undoes.is_(None), table.c.state.not_in(("failed", "dropped")))
        if since is not None:
            query = query.where(table.c.done_at >= since, table.c.state.in_(("done", "undone")))
        if name is not None:
            query = query.where(_named(connection, name))
        newest_first = (table.c.done_at.is_(None).desc(), table.c.done_at.desc(), table.c.position.desc())
        return list(connection.execute(query.order_by(*newest_first)))

    def _again(self, rows: Iterable[Row[Any]]) -> list[Row[Any]]:
        """The rows as they are now, in the same order."""
        keys = [row.key for row in rows]
        with self._database.read() as connection:
            found = {row.key: row for row in connection.execute(select(table).where(table.c.key.in_(keys)))}
        return [found[key] for key in keys]


def _named(connection: Connection, name: str) -> ColumnElement[bool]:
    """The rows of this action, run or report. Raises NotFoundError, or UsageError when a cut key names several."""
    if len(name) >= KEY_PREFIX and not set(name) - set("0123456789abcdef"):
        keys = connection.execute(
            select(table.c.key, table.c.undoes).where(table.c.key.startswith(name)).limit(2)
        ).all()
        if len(keys) > 1:
            raise UsageError(f"{name} begins the keys of several actions.", hint="Give more of the key.")
        if keys and keys[0].undoes:
            raise UsageError(f"{name} is itself an undo.", hint="Decide the report again instead.")
        if keys:
            return table.c.key.in_([keys[0].key])
    of_report = select(runs.c.run_id).where(runs.c.subject_id == name)
    for condition in (table.c.run_id.in_([name]), table.c.run_id.in_(of_report)):
        if connection.execute(select(table.c.key).where(condition).limit(1)).first():
            return condition
    raise NotFoundError(
        f"Nothing was done under the name {name}.",
        hint="Name a run, an action's key or a report; `qa-agents explain` shows them.",
    )


def _standing(where: Tracker | Preview, inverse: Action) -> dict[str, Any]:
    """What stands now in the place that the inverse would restore."""
    issue = where.get(inverse.target)
    return seen(inverse, issue.model_dump() if issue else None)


def _told(row: Row[Any]) -> UndoneAction:
    return UndoneAction(
        key=row.key, run_id=row.run_id, target=row.target, what=describe(Action.model_validate(row.body))
    )
