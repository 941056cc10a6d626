"""The account of every received report: each is in exactly one state, and the sums must agree."""

import time
from collections.abc import Callable
from typing import Any, cast

from pydantic import BaseModel, Field
from sqlalchemy import Connection, Row, bindparam, func, insert, select, update

from qa_agents.checkpoint.inbox import Inbox
from qa_agents.checkpoint.ledger import Ledger
from qa_agents.checkpoint.schema import PENDING, ReportState
from qa_agents.incidents.intake import ReceivedReport
from qa_agents.storage.artifacts import put_artifact, sha256_hex
from qa_agents.storage.canonical import digest_of
from qa_agents.storage.engine import Database, ask, later
from qa_agents.storage.prepared import Prepared, Record
from qa_agents.storage.tables import ledger as ledger_table
from qa_agents.storage.tables import reports, reviews, runs

UNFINISHED = ("received", "failed")
_KNOWN = Prepared(
    select(reports).where(reports.c.source == bindparam("the_source"), reports.c.report_id == bindparam("the_report"))
)
_NEW_RUN = Prepared(insert(runs))
_NEW_REPORT = Prepared(insert(reports))


class Account(BaseModel):
    """Where one received report stands."""

    source: str
    report_id: str
    state: ReportState
    run_id: str | None
    version: int
    error: str | None = None
    fresh: bool = True
    """False when exactly this report was received before, so that nothing new was started."""


class Balance(BaseModel):
    """Received = decided + waiting + asked + will_retry + rejected, and nothing unaccounted."""

    received: int = 0
    decided: int = 0
    waiting: int = 0
    asked: int = 0
    will_retry: int = 0
    rejected: int = 0
    unaccounted: list[str] = Field(default_factory=list)
    """One sentence per report that is in no accountable state."""
    by_source: dict[str, dict[str, int]] = Field(default_factory=dict)


class Received:
    """Accepts reports and tells where each one is."""

    def __init__(self, database: Database, inbox: Inbox, ledger: Ledger, now: Callable[[], float] = time.time) -> None:
        self._database = database
        self._inbox = inbox
        self._ledger = ledger
        self._now = now

    def accept(
        self, received: ReceivedReport, *, source: str, kind: str, options: dict[str, Any], again: bool = False
    ) -> Account:
        """Put a report on the account, with a run to be made for it; on disk when this returns.

        The same content again changes nothing (unless `again`, or other options), however it is laid out; other content under the
        same id is a new version, which supersedes what waits.
        """
        with self._database.write() as connection:
            if received.report is None:
                return self._reject(connection, received, source)
            report_id = received.report.id
            self._ledger.expect(connection)
            found = ask(connection, _KNOWN, the_source=source, the_report=report_id)
            row = found[0] if found else None
            document = received.report.model_dump_json().encode()
            input_sha = sha256_hex(document)
            if row is not None and not again:
                known = connection.execute(select(runs).where(runs.c.run_id == row["run_id"])).one()
                if (known.input_sha256, known.options) == (input_sha, options):
                    return _account(row, fresh=False)
            put_artifact(connection, received.raw, "application/octet-stream")
            put_artifact(connection, document)
            values = self._begin(connection, row, received, source, kind, input_sha, options)
            return Account(source=source, report_id=report_id, **values)

    def _begin(
        self,
        connection: Connection,
        row: Record | None,
        received: ReceivedReport,
        source: str,
        kind: str,
        input_sha: str,
        options: dict[str, Any],
    ) -> dict[str, Any]:
        report_id = cast(Any, received.report).id
        version = row["version"] + 1 if row else 1
        run_id = f"{kind}-{digest_of([source, report_id, received.raw_sha256, version])[:12]}"
        later(
            connection,
            _NEW_RUN,
            run_id=run_id,
            kind=kind,
            source=source,
            subject_id=report_id,
            input_sha256=input_sha,
            state="received",
            options=options,
            started_at=self._now(),
        )
        values = {
            "raw_sha256": received.raw_sha256,
            "version": version,
            "state": "received",
            "run_id": run_id,
            "attempts": 0,
            "error": None,
            "changed_at": self._now(),
        }
        if row is None:
            later(connection, _NEW_REPORT, source=source, report_id=report_id, received_at=self._now(), **values)
        else:
            self._inbox.supersede(connection, report_id, by=run_id)
            connection.execute(
                update(runs).where(runs.c.run_id == row["run_id"], runs.c.state != "done").values(state="superseded")
            )
            connection.execute(_where(update(reports), source, report_id).values(**values))
        self._ledger.append(
            connection,
            "received",
            report_id,
            source=source,
            raw_sha256=received.raw_sha256,
            version=version,
            run_id=run_id,
        )
        return {"state": "received", "run_id": run_id, "version": version}

    def _reject(self, connection: Connection, received: ReceivedReport, source: str) -> Account:
        report_id = f"invalid-{received.raw_sha256[:16]}"
        found = ask(connection, _KNOWN, the_source=source, the_report=report_id)
        if found:
            return _account(found[0], fresh=False)
        if received.raw:
            put_artifact(connection, received.raw, "application/octet-stream")
        connection.execute(
            insert(reports).values(
                source=source,
                report_id=report_id,
                raw_sha256=received.raw_sha256,
                version=1,
                state="rejected",
                attempts=0,
                error=received.problem,
                received_at=self._now(),
                changed_at=self._now(),
            )
        )
        self._ledger.append(
            connection, "invalid", report_id, source=source, raw_sha256=received.raw_sha256, problem=received.problem
        )
        return Account(
            source=source, report_id=report_id, state="rejected", run_id=None, version=1, error=received.problem
        )

    def find(self, report_id: str) -> Account | None:
        """The account of the report with this id (of any source, the newest), or None."""
        with self._database.read() as connection:
            row = connection.execute(
                select(reports).where(reports.c.report_id == report_id).order_by(reports.c.changed_at.desc())
            ).first()
        return _account(dict(row._mapping), fresh=False) if row else None

    def unfinished(self, *, max_attempts: int | None = None) -> list[str]:
        """Run ids that a crash or a failure left unfinished, oldest first; those that failed `max_attempts` times excepted."""
        decided = select(reviews.c.run_id).where(reviews.c.state == "decided")
        pending = select(reviews.c.run_id).where(reviews.c.state.in_(PENDING))  # a plan's run asks more than once
        answered = (reports.c.state == "waiting") & reports.c.run_id.in_(decided) & reports.c.run_id.not_in(pending)
        query = select(reports.c.run_id).where(reports.c.state.in_(UNFINISHED) | answered)
        if max_attempts is not None:
            query = query.where(reports.c.attempts < max_attempts)
        with self._database.read() as connection:
            return [run_id for run_id in connection.execute(query.order_by(reports.c.received_at)).scalars() if run_id]

    def states(self) -> dict[str, int]:
        """How many reports are in each state."""
        with self._database.read() as connection:
            rows = connection.execute(select(reports.c.state, func.count()).group_by(reports.c.state)).all()
        return {row[0]: row[1] for row in rows}

    def balance(self) -> Balance:
        """Count every received report once, and name those whose state is not borne out by the other tables."""
        with self._database.read() as connection:
            result = Balance()
            pending = _ids(connection, select(reviews.c.run_id).where(reviews.c.state.in_(PENDING)))
            answered = _ids(connection, select(reviews.c.run_id).where(reviews.c.state == "decided"))
            finished = _ids(connection, select(runs.c.run_id).where(runs.c.state == "done"))
            known = _ids(connection, select(runs.c.run_id))
            rows = connection.execute(select(reports)).all()
            for row in rows:
                column, wrong = _column(row, pending, answered, finished, known)
                setattr(result, column, getattr(result, column) + 1)
                counts = result.by_source.setdefault(row.source, {})
                counts[column] = counts.get(column, 0) + 1
                if wrong:
                    result.unaccounted.append(f"{row.report_id} is {row.state} but {wrong}.")
            result.received = len(rows)
            recorded = connection.execute(
                select(func.count(func.distinct(ledger_table.c.subject))).where(
                    ledger_table.c.event.in_(("received", "invalid"))
                )
            ).scalar_one()
            distinct = len({row.report_id for row in rows})
            if recorded != distinct:
                result.unaccounted.append(
                    f"The ledger recorded {recorded} received reports, {distinct} are on account."
                )
            return result


def _column(
    row: Row[Any], pending: set[str], answered: set[str], finished: set[str], known: set[str]
) -> tuple[str, str | None]:
    """The balance column of one row, and what contradicts it."""
    run = row.run_id
    if row.state == "rejected":
        return "rejected", None
    if row.state in UNFINISHED:
        return "will_retry", None if run in known and run not in finished else "no run is left to be made"
    if row.state == "waiting":
        if run in answered and run not in finished and run not in pending:
            return "will_retry", None
        return "waiting", None if run in pending else "no review is open for it"
    return row.state, None if run in finished else "its run is not finished"


def _ids(connection: Connection, query: Any) -> set[str]:
    return set(connection.execute(query).scalars())


def _where(statement: Any, source: str, report_id: str) -> Any:
    return statement.where(reports.c.source == source, reports.c.report_id == report_id)


def _account(row: Record, *, fresh: bool) -> Account:
    return Account.model_validate({**row, "fresh": fresh})
