"""The queue as one table of the main database, on SQLite and on PostgreSQL alike.

Claiming and ending a job are single statements outside the lock that writers hold: PostgreSQL lets any number of workers do so
at once (each passes over rows that another has in hand), and an index lets one job of a key be in hand at a time. Jobs are put
under that lock, so that their numbers grow in the order in which they can be seen.
"""

import math
import os
import socket
import time
from collections.abc import Callable
from typing import Any

from sqlalchemy import Connection, ScalarSelect, bindparam, exists, func, or_, select, update
from sqlalchemy.exc import IntegrityError

from qa_agents.runtime.lease import is_dead
from qa_agents.runtime.queue import LEASE_SECONDS, Backlog, Job, LostError
from qa_agents.storage.engine import Database, insert_new
from qa_agents.storage.tables import jobs

WAITS_AT_MOST = 6
"""A job that others keep being merged into is put off for so many delays, and no longer."""
ERROR_CHARS = 2_000
RECLAIM_SECONDS = 5.0
"""So often a claim also looks whether processes of this machine died with a job in hand."""
_BACK = {"state": "todo", "lease_until": None}
"""What gives a job back; it keeps its place, its `ready_at` lies in the past."""
_LOST = "The job was taken over by another worker."


def holder_name() -> str:
    """How this process is called in leases: `host:pid`, by which a dead one of this machine is recognised."""
    return f"{socket.gethostname()}:{os.getpid()}"


class TableQueue:
    """A JobQueue. What is put is flushed to disk; claims and ends are not, for an unfinished job is simply done again."""

    def __init__(self, database: Database, now: Callable[[], float] = time.time) -> None:
        self._database = database
        self._now = now
        self._reclaimed = -math.inf

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
        waiting = _unclaimed(connection, key) if collapse else None
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
        if time.monotonic() - self._reclaimed > RECLAIM_SECONDS:
            self.reclaim()
        now = self._now()
        with self._database.single() as connection:
            # Looked for first, so that a worker with nothing to do does not hold up writers.
            due, given_up = connection.execute(_LOOK, {"now": now}).one()
            if given_up:
                connection.execute(_GIVE_BACK, {"now": now})
            elif due is None:
                return None
            try:
                row = connection.execute(_TAKE, {"now": now, "until": now + LEASE_SECONDS, "by": holder}).first()
            except IntegrityError:  # another job of this key was taken in this very moment
                return None
        if row is None:
            return None
        return Job(id=row.pk, key=row.key, payload=row.payload, token=row.token, attempts=row.attempts)

    def reclaim(self) -> int:
        """Take back at once what dead processes of this machine held; how many jobs that were."""
        self._reclaimed = time.monotonic()
        held = jobs.c.state == "doing"
        with self._database.single() as connection:
            holders = connection.execute(select(jobs.c.holder).where(held).distinct()).scalars().all()
            dead = [holder for holder in holders if holder and is_dead(holder)]
            if not dead:
                return 0
            return connection.execute(update(jobs).where(held, jobs.c.holder.in_(dead)).values(**_BACK)).rowcount

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
        self._change(job, {**_BACK, "attempts": job.attempts - 1})

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

    def _change(self, job: Job, values: dict[str, Any]) -> None:
        mine = jobs.c.pk == job.id, jobs.c.token == job.token, jobs.c.state == "doing"
        with self._database.single() as connection:
            if connection.execute(update(jobs).where(*mine).values(**values)).rowcount != 1:
                raise LostError(_LOST, hint="The other one goes on with it.")


def _unclaimed(connection: Connection, key: str) -> Any:
    """The newest job of the key that nobody ever claimed, and that nobody can claim before this transaction ends."""
    mine = jobs.c.key == key, jobs.c.state == "todo", jobs.c.attempts == 0
    return connection.execute(select(jobs).where(*mine).order_by(jobs.c.pk.desc()).limit(1).with_for_update()).first()


def _due(*, lock: bool = False) -> ScalarSelect[int]:
    """The number of the oldest job that may be claimed; walks an index and stops, however many jobs are done.

    A job of its key must neither be in hand, nor wait and be older. `lock`: the row is locked, and one that another transaction
    has locked is passed over (SQLite has one writer anyway).
    """
    due, other = jobs.alias("due"), jobs.alias("other")
    earlier = or_(other.c.state == "doing", other.c.pk < due.c.pk)
    preceded = exists().where(other.c.key == due.c.key, other.c.state.in_(("todo", "doing")), earlier)
    waits = due.c.state == "todo", due.c.ready_at <= bindparam("now")
    found = select(due.c.pk).where(*waits, ~preceded).order_by(due.c.pk).limit(1)
    return (found.with_for_update(skip_locked=True) if lock else found).scalar_subquery()


# Made once: putting such statements together takes longer than executing them.
_GIVEN_UP = jobs.c.state == "doing", jobs.c.lease_until <= bindparam("now")
_LOOK = select(_due(), exists().where(*_GIVEN_UP))
_GIVE_BACK = update(jobs).where(*_GIVEN_UP).values(**_BACK)
_TAKE = (
    update(jobs)
    .where(jobs.c.pk == _due(lock=True))
    .values(
        state="doing",
        holder=bindparam("by"),
        lease_until=bindparam("until"),
        error=None,
        token=jobs.c.token + 1,
        attempts=jobs.c.attempts + 1,
    )
    .returning(jobs.c.pk, jobs.c.key, jobs.c.payload, jobs.c.token, jobs.c.attempts)
)
