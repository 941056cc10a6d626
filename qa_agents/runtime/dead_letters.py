"""What could not be handled and waits for a person: deliveries and jobs, with the reason, to be replayed or dropped."""

import re
import time
from collections.abc import Callable
from typing import Any, Literal

from pydantic import BaseModel, Field
from sqlalchemy import Connection, insert, select, update

from qa_agents.checkpoint.ledger import Ledger
from qa_agents.errors import ConflictError, NotFoundError
from qa_agents.storage.engine import Database
from qa_agents.storage.tables import intake, jobs


class Letter(BaseModel):
    """One delivery or job, as the inbox lists it."""

    id: str
    """`d` and a number for a delivery, `j` and a number for a job."""
    kind: Literal["delivery", "job"]
    state: str
    source: str
    subject: str | None
    """The job's key: which issue it is about, where that is known."""
    reason: str | None
    at: float
    attempts: int = 0
    size: int = 0
    details: dict[str, Any] = Field(default_factory=dict)
    body: bytes = Field(b"", exclude=True, repr=False)


class DeadLetters:
    """Lists, replays and drops; what a person did is recorded in the ledger."""

    def __init__(self, database: Database, ledger: Ledger, now: Callable[[], float] = time.time) -> None:
        self._database = database
        self._ledger = ledger
        self._now = now

    def listed(self, state: str = "dead", limit: int = 100) -> list[Letter]:
        """The newest deliveries and jobs in a state, newest first."""
        with self._database.read() as connection:
            deliveries = connection.execute(
                select(intake).where(intake.c.state == state).order_by(intake.c.pk.desc()).limit(limit)
            ).all()
            works = connection.execute(
                select(jobs).where(jobs.c.state == state).order_by(jobs.c.pk.desc()).limit(limit)
            ).all()
        found = [*map(_of_delivery, deliveries), *map(_of_job, works)]
        return sorted(found, key=lambda letter: letter.at, reverse=True)[:limit]

    def find(self, name: str) -> Letter:
        """The delivery or job with this id. Raises NotFoundError."""
        with self._database.read() as connection:
            return self._find(connection, name)

    def replay(self, name: str, *, by: str) -> Letter:
        """Let it be handled once more. Raises ConflictError for one that is still on its way."""
        with self._database.write() as connection:
            letter = self._find(connection, name)
            number = int(letter.id[1:])
            if letter.kind == "job":
                self._settled(letter, ("dead", "dropped", "done"))
                values = {"state": "todo", "attempts": 0, "error": None, "ready_at": self._now(), "ended_at": None}
                connection.execute(update(jobs).where(jobs.c.pk == number).values(**values))
            elif letter.body:
                self._settled(letter, ("dead",))
                headers = {**letter.details["headers"], "replayed": f"{self._now():.6f}"}
                values = {"state": "received", "reason": None, "headers": headers, "settled_at": None}
                connection.execute(update(intake).where(intake.c.pk == number).values(**values))
            else:
                self._settled(letter, ("routed", "duplicate"))
                self._look_again(connection, letter)
            self._ledger.append(connection, "replayed", letter.id, actor=by, about=letter.subject)
            return self._find(connection, name)

    def drop(self, name: str, *, by: str, reason: str) -> Letter:
        """Give it up for good; its body is erased, its hash and reason stay. Raises ConflictError for what is not dead."""
        with self._database.write() as connection:
            letter = self._find(connection, name)
            self._settled(letter, ("dead",))
            number = int(letter.id[1:])
            if letter.kind == "job":
                connection.execute(update(jobs).where(jobs.c.pk == number).values(state="dropped"))
            else:
                values = {"state": "dropped", "body": b"", "settled_at": self._now()}
                connection.execute(update(intake).where(intake.c.pk == number).values(**values))
            self._ledger.append(connection, "dropped", letter.id, actor=by, reason=reason, about=letter.subject)
            return self._find(connection, name)

    def _look_again(self, connection: Connection, letter: Letter) -> None:
        """The body is gone, and was a hint only: which issue it named is known."""
        newest = select(jobs).where(jobs.c.key == letter.subject).order_by(jobs.c.pk.desc()).limit(1)
        row = connection.execute(newest).first()
        if row is None:
            raise NotFoundError(f"The job of {letter.id} is gone.")
        now = self._now()
        connection.execute(
            insert(jobs).values(
                key=row.key,
                dedup_id=f"{row.key} replay {letter.id} {now:.6f}",
                payload=row.payload,
                state="todo",
                ready_at=now,
                token=0,
                attempts=0,
                put_at=now,
            )
        )

    def _settled(self, letter: Letter, states: tuple[str, ...]) -> None:
        if letter.state not in states:
            raise ConflictError(
                f"{letter.id} is {letter.state}.", hint=f"This is for what is {' or '.join(states)}; see `inbox list`."
            )

    def _find(self, connection: Connection, name: str) -> Letter:
        prefix, number = name[:1], name[1:]
        if number.isascii() and number.isdigit() and len(number) < 16:
            table, made = {"d": (intake, _of_delivery), "j": (jobs, _of_job)}.get(prefix, (None, None))
            row = table is not None and connection.execute(select(table).where(table.c.pk == int(number))).first()
            if row and made is not None:
                return made(row)
        raise NotFoundError(
            f"There is no delivery or job {name[:40]}.", hint="`qa-agents inbox list` shows what is there (d12, j7)."
        )


def erase_letters(connection: Connection, report_id: str) -> int:
    """Empty the dead deliveries whose body names the report, and what its dead jobs say went wrong; how many of both.

    What is still on its way is not touched: it is a hint that is emptied once it is routed, within seconds.
    """
    named = re.compile(rb"(?<![\w-])" + re.escape(report_id.encode()) + rb"(?![\w-])")
    dead = connection.execute(select(intake.c.pk, intake.c.body).where(intake.c.state == "dead")).all()
    found = [row.pk for row in dead if named.search(row.body)]
    for number in found:
        values = {"state": "dropped", "body": b"", "reason": "(erased)"}
        connection.execute(update(intake).where(intake.c.pk == number).values(**values))
    said = select(jobs.c.pk, jobs.c.key, jobs.c.error).where(jobs.c.error.is_not(None))
    told = [row.pk for row in connection.execute(said) if named.search(f"{row.key} {row.error}".encode())]
    for number in told:
        connection.execute(update(jobs).where(jobs.c.pk == number).values(error="(erased)"))
    return len(found) + len(told)


def _of_delivery(row: Any) -> Letter:
    return Letter(
        id=f"d{row.pk}",
        kind="delivery",
        state=row.state,
        source=row.source,
        subject=row.job_key,
        reason=row.reason,
        at=row.received_at,
        size=row.size,
        details={"delivery": row.delivery, "body_sha256": row.body_sha256, "kind": row.kind, "headers": row.headers},
        body=row.body,
    )


def _of_job(row: Any) -> Letter:
    return Letter(
        id=f"j{row.pk}",
        kind="job",
        state=row.state,
        source=str(row.payload.get("source", "")),
        subject=row.key,
        reason=row.error,
        at=row.put_at,
        attempts=row.attempts,
        details={"payload": row.payload},
    )
