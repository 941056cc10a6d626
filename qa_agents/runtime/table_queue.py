"""The queue as one table of the main database, on SQLite and on PostgreSQL alike.

`Database.write` lets one writer at a time through, so that a claim is a read and an update with nothing between them.
"""

import os
import socket
import time
from collections.abc import Callable
from typing import Any

from sqlalchemy import Connection, exists, func, select, update

from qa_agents.runtime.lease import is_dead
from qa_agents.runtime.queue import LEASE_SECONDS, Backlog, Job, LostError
from qa_agents.storage.engine import Database, insert_new
from qa_agents.storage.tables import jobs

WAITS_AT_MOST = 6
"""A job that others keep being merged into is put off for so many delays, and no longer."""
ERROR_CHARS = 2_000
_ACTIVE = ("todo", "doing")
_LOST = "The job was taken over by another worker."


def holder_name() -> str:
    """How this process is called in leases: `host:pid`, by which a dead one of this machine is recognised."""
    return f"{socket.gethostname()}:{os.getpid()}"


class TableQueue:
    """A JobQueue. What is put is flushed to disk; claims and ends are not, for an unfinished job is simply done again."""

    def __init__(self, database: Database, now: Callable[[], float] = time.time) -> None:
        self._database = database
        self._now = now

    def put(
        self, key: str, dedup_id: str, payload: dict[str, Any], *, delay: float = 0.0, collapse: bool = False
    ) -> bool:
        """Add a job unless it was ever put before."""
        with self._database.write() as connection:
            return self.put_within(connection, key, dedup_id, payload, delay=delay, collapse=collapse)

    def put_within(
        self,
        connection: Connection,
        key: str,
        dedup_id: str,
        payload: dict[str, Any],
        *,
        delay: float = 0.0,
        collapse: bool = False,
    ) -> bool:
        """Add a job inside the caller's write transaction, so that both happen or neither."""
        now = self._now()
        waiting = self._unclaimed(connection, key) if collapse else None
        values = {"key": key, "payload": payload, "token": 0, "attempts": 0, "put_at": now}
        if waiting is None:
            return insert_new(
                connection, jobs, "dedup_id", dedup_id=dedup_id, state="todo", ready_at=now + delay, **values
            )
        merged = {"state": "merged", "merged_into": waiting.pk, "ready_at": now, "ended_at": now}
        if not insert_new(connection, jobs, "dedup_id", dedup_id=dedup_id, **merged, **values):
            return False
        latest = max(waiting.ready_at, min(now + delay, waiting.put_at + WAITS_AT_MOST * delay))
        connection.execute(update(jobs).where(jobs.c.pk == waiting.pk).values(ready_at=latest, payload=payload))
        return True

    def claim(self, holder: str) -> Job | None:
        """The next job that may be done."""
        now = self._now()
        with self._database.read() as connection:  # so that a worker with nothing to do does not hold up writers
            if _next(connection, now) is None:
                return None
        with self._database.write(durable=False) as connection:
            row = _next(connection, now)
            if row is None:
                return None
            token, attempts = row.token + 1, row.attempts + 1
            values = {"state": "doing", "token": token, "attempts": attempts, "holder": holder}
            connection.execute(
                update(jobs).where(jobs.c.pk == row.pk).values(lease_until=now + LEASE_SECONDS, error=None, **values)
            )
            return Job(id=row.pk, key=row.key, payload=row.payload, token=token, attempts=attempts)

    def reclaim(self) -> int:
        """Take back at once what dead processes of this machine held; how many jobs that were."""
        with self._database.read() as connection:
            held = connection.execute(select(jobs.c.pk, jobs.c.holder).where(jobs.c.state == "doing")).all()
        dead = [row.pk for row in held if row.holder and is_dead(row.holder)]
        if dead:
            with self._database.write(durable=False) as connection:
                mine = jobs.c.pk.in_(dead), jobs.c.state == "doing"
                connection.execute(update(jobs).where(*mine).values(lease_until=0.0))
        return len(dead)

    def extend(self, job: Job) -> None:
        """Keep it a while longer."""
        self._change(job, {"lease_until": self._now() + LEASE_SECONDS})

    def done(self, job: Job) -> None:
        """It is finished."""
        self._change(job, {"state": "done", "ended_at": self._now(), "lease_until": None})

    def fail(self, job: Job, error: str, *, retry_in: float | None, counted: bool = True) -> None:
        """Try it again later, or never."""
        said = error.replace("\x00", "�")[:ERROR_CHARS]
        values: dict[str, Any] = {"error": said, "lease_until": None, "attempts": job.attempts - (not counted)}
        if retry_in is None:
            values |= {"state": "dead", "ended_at": self._now()}
        else:
            values |= {"state": "todo", "ready_at": self._now() + retry_in}
        self._change(job, values)

    def release(self, job: Job) -> None:
        """Give it back as it was."""
        self._change(job, {"state": "todo", "lease_until": None, "attempts": job.attempts - 1})

    def recent(self, key: str, since: float) -> int:
        """How many ended well since then."""
        with self._database.read() as connection:
            return self.recent_within(connection, key, since)

    def recent_within(self, connection: Connection, key: str, since: float) -> int:
        """`recent`, inside the caller's transaction."""
        ended = jobs.c.key == key, jobs.c.state == "done", jobs.c.ended_at >= since
        return connection.execute(select(func.count()).select_from(jobs).where(*ended)).scalar_one()

    def backlog(self) -> Backlog:
        """The queue in numbers."""
        with self._database.read() as connection:
            states = connection.execute(select(jobs.c.state, func.count()).group_by(jobs.c.state)).all()
            due = jobs.c.state == "todo", jobs.c.ready_at <= self._now()
            oldest = connection.execute(select(func.min(jobs.c.ready_at)).where(*due)).scalar()
        waited = max(0.0, self._now() - oldest) if oldest is not None else 0.0
        return Backlog(states={row[0]: row[1] for row in states}, oldest_seconds=waited)

    def _unclaimed(self, connection: Connection, key: str) -> Any:
        mine = jobs.c.key == key, jobs.c.state == "todo", jobs.c.attempts == 0
        return connection.execute(select(jobs).where(*mine).order_by(jobs.c.pk.desc()).limit(1)).first()

    def _change(self, job: Job, values: dict[str, Any]) -> None:
        mine = jobs.c.pk == job.id, jobs.c.token == job.token, jobs.c.state == "doing"
        with self._database.write(durable=False) as connection:
            if connection.execute(update(jobs).where(*mine).values(**values)).rowcount != 1:
                raise LostError(_LOST, hint="The other one goes on with it.")


def _next(connection: Connection, now: float) -> Any:
    """The oldest job that may be claimed. Two queries, so that each walks an index and stops, however many jobs are done."""
    earlier = jobs.alias()
    blocked = exists().where(earlier.c.key == jobs.c.key, earlier.c.state.in_(_ACTIVE), earlier.c.pk < jobs.c.pk)
    due = jobs.c.state == "todo", jobs.c.ready_at <= now
    given_up = jobs.c.state == "doing", jobs.c.lease_until <= now
    found = [
        connection.execute(select(jobs).where(*which, ~blocked).order_by(jobs.c.pk).limit(1)).first()
        for which in (due, given_up)
    ]
    return min((row for row in found if row is not None), key=lambda row: row.pk, default=None)
