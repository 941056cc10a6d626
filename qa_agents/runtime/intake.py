"""What was acknowledged to senders: kept as it came, told apart from repetitions, and routed into the queue, each once."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from sqlalchemy import Connection, delete, func, insert, or_, select, union_all, update

from qa_agents.runtime.events import Kind, Route
from qa_agents.runtime.table_queue import TableQueue
from qa_agents.storage.engine import Database
from qa_agents.storage.tables import intake as table
from qa_agents.storage.tables import jobs

MAX_RUNS_AN_HOUR = 20
"""An issue that keeps changing is looked at so often in an hour; what comes then waits."""
PARKED_SECONDS = 600.0
MAX_ROUTED = 32
"""How many bodies are in memory at a time."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """One request that was found genuine, before anything in it was read."""

    source: str
    kind: Kind
    delivery: str | None
    """The sender's id of it; not covered by the signature, so that it alone decides nothing."""
    body: bytes
    body_sha256: str
    received_at: float
    headers: dict[str, str] = field(default_factory=dict)


Stored = Literal["new", "duplicate", "conflict"]
Decide = Callable[[str, Kind, bytes, float, bool], Route]
"""(source, kind, body, received at, replayed by a person) to where it goes."""


class Intake:
    """The table of deliveries. A row is on disk when `append` returns, and leaves `received` in the transaction of its job."""

    def __init__(
        self, database: Database, queue: TableQueue, *, debounce: float = 5.0, now: Callable[[], float] = time.time
    ) -> None:
        self._database = database
        self._queue = queue
        self._debounce = debounce
        self._now = now

    def append(self, deliveries: Sequence[Delivery]) -> list[Stored]:
        """Store many in one transaction, flushed; what became of each. Raises StorageError, and then nothing was stored.

        A repetition (same id, or same body) is not stored again. The same id with another body is kept as a dead letter.
        """
        with self._database.write() as connection:
            bodies, ids = self._known(connection, deliveries)
            found: list[Stored] = []
            rows = []
            for one in deliveries:
                mark = (one.source, one.body_sha256)
                if mark in bodies:
                    found.append("duplicate")
                    continue
                bodies.add(mark)
                clash = one.delivery is not None and (one.source, one.delivery) in ids
                found.append("conflict" if clash else "new")
                rows.append(_row(one, clash=clash))
                ids.add((one.source, one.delivery))
            if rows:
                connection.execute(insert(table), rows)
        return found

    def _known(
        self, connection: Connection, deliveries: Sequence[Delivery]
    ) -> tuple[set[tuple[str, str]], set[tuple[str, str | None]]]:
        """(source, body hash) and (source, delivery id) of those that are there already."""
        bodies: set[tuple[str, str]] = set()
        ids: set[tuple[str, str | None]] = set()
        for source in {one.source for one in deliveries}:
            mine = [one for one in deliveries if one.source == source]
            named = [one.delivery for one in mine if one.delivery]
            found = select(table.c.body_sha256, table.c.delivery).where(table.c.source == source)
            # Two searches of an index each: for one with OR, SQLite walks all deliveries of the source.
            query = union_all(
                found.where(table.c.body_sha256.in_([one.body_sha256 for one in mine])),
                found.where(table.c.delivery.in_(named)),
            )
            for row in connection.execute(query):
                bodies.add((source, row.body_sha256))
                ids.add((source, row.delivery))
        return bodies, ids

    def route(self, decide: Decide, limit: int = MAX_ROUTED) -> int:
        """Decide about the oldest deliveries that nobody decided about, in order; how many were looked at.

        Each is settled together with its job. Two workers may do this at once: whoever commits first has decided.
        """
        with self._database.read() as connection:
            query = select(table).where(table.c.state == "received").order_by(table.c.pk).limit(limit)
            rows = connection.execute(query).all()
        decided = [(row, _decided(decide, row)) for row in rows]
        if decided:
            with self._database.write() as connection:
                for row, route in decided:
                    self._settle(connection, row, route)
        return len(rows)

    def _settle(self, connection: Connection, row: Any, route: Route) -> None:
        state, reason, key = str(route.state), route.reason, None
        values: dict[str, Any] = {"state": state, "settled_at": self._now()}
        still = table.c.pk == row.pk, table.c.state == "received"
        if connection.execute(update(table).where(*still).values(**values)).rowcount != 1:
            return
        event = route.event
        if route.state == "routed" and event is not None:
            key = f"jira:{row.source}:{event.issue}"
            again = row.headers.get("replayed")
            identity = f"{event.identity}" if event.identity and not again else f"intake {row.pk} {again or ''}"
            payload = {"do": "triage", "source": row.source, "issue": event.issue, "received_at": row.received_at}
            if not self.enqueue(connection, key, f"{key} {identity}", payload):
                state, reason = "duplicate", "this change was announced before"
        kept = {} if state == "dead" else {"body": b""}
        connection.execute(
            update(table).where(table.c.pk == row.pk).values(state=state, reason=reason, job_key=key, **kept)
        )

    def forget(self, days: float) -> int:
        """Delete deliveries and jobs that were settled more than `days` ago; how many. What waits or is dead stays.

        A delivery that is repeated after that is taken for a new one: its issue is read once more, and found unchanged.
        """
        before = self._now() - days * 86_400
        old_letters = table.c.state.in_(("routed", "ignored", "duplicate", "dropped")), table.c.settled_at < before
        old_jobs = jobs.c.state.in_(("done", "merged", "dropped")), jobs.c.ended_at < before
        with self._database.write(durable=False) as connection:
            gone = connection.execute(delete(table).where(*old_letters)).rowcount
            return gone + connection.execute(delete(jobs).where(*old_jobs)).rowcount

    def enqueue(self, connection: Connection, key: str, dedup_id: str, payload: dict[str, Any]) -> bool:
        """Ask for a look at an issue: at once when it was quiet, with a delay when it was just looked at or keeps changing."""
        now = self._now()
        delay = self._debounce if self._is_lively(connection, key, now - self._debounce) else 0.0
        if self._queue.recent_within(connection, key, now - 3600) >= MAX_RUNS_AN_HOUR:
            delay = PARKED_SECONDS
        return self._queue.put_within(connection, key, dedup_id, payload, delay=delay, collapse=True)

    def _is_lively(self, connection: Connection, key: str, since: float) -> bool:
        lively = or_(jobs.c.state.in_(("todo", "doing")), jobs.c.ended_at >= since)
        return connection.execute(select(jobs.c.pk).where(jobs.c.key == key, lively).limit(1)).first() is not None

    def counts(self) -> dict[str, int]:
        """Deliveries by state."""
        with self._database.read() as connection:
            rows = connection.execute(select(table.c.state, func.count()).group_by(table.c.state)).all()
        return {row[0]: row[1] for row in rows}


def _decided(decide: Decide, row: Any) -> Route:
    """Where a row goes. One that breaks the reading is dead: it must not hold up what comes after it."""
    try:
        return decide(row.source, row.kind, row.body, row.received_at, bool(row.headers.get("replayed")))
    except Exception as error:
        return Route("dead", f"it could not be read ({type(error).__name__})")


def _row(one: Delivery, *, clash: bool) -> dict[str, Any]:
    told = (
        {"state": "dead", "reason": f"its id {one.delivery} had come with another body"}
        if clash
        else {"state": "received", "reason": None}
    )
    return {
        "source": one.source,
        "kind": one.kind,
        "delivery": None if clash else one.delivery,
        "body_sha256": one.body_sha256,
        "size": len(one.body),
        "headers": one.headers,
        "body": one.body,
        "received_at": one.received_at,
        **told,
    }
