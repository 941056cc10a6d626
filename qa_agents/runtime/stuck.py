"""What was approved and is neither done nor failed for too long: the promise `approved means done or loudly failed`, checked."""

from pydantic import BaseModel
from sqlalchemy import Connection, select

from qa_agents.storage.tables import actions, reviews, runs

STUCK_SECONDS = 3_600.0


class Stuck(BaseModel):
    """Something approved that is neither done nor failed for too long."""

    run_id: str
    target: str
    key: str | None
    """None when not even its actions were planned."""
    state: str
    since: float
    """When it was approved or planned, seconds since the epoch."""
    attempts: int = 0
    error: str | None = None


def find_stuck(connection: Connection, limit: float) -> list[Stuck]:
    """What was approved at or before `limit` (seconds since the epoch) and is still open, oldest first.

    A run that a newer version of its report replaced is not waited for.
    """
    return sorted([*_tried(connection, limit), *_never_planned(connection, limit)], key=lambda stuck: stuck.since)


def _tried(connection: Connection, limit: float) -> list[Stuck]:
    replaced = select(runs.c.run_id).where(runs.c.state == "superseded")
    rows = connection.execute(
        select(actions).where(
            actions.c.state.in_(("planned", "trying")),
            actions.c.planned_at <= limit,
            actions.c.run_id.not_in(replaced),
        )
    )
    names = ("run_id", "target", "key", "state", "attempts", "error")
    return [Stuck(since=row.planned_at, **{name: getattr(row, name) for name in names}) for row in rows]


def _never_planned(connection: Connection, limit: float) -> list[Stuck]:
    rows = connection.execute(
        select(reviews.c.run_id, reviews.c.subject_id, reviews.c.decided_at, runs.c.state)
        .join(runs, runs.c.run_id == reviews.c.run_id)
        .where(
            reviews.c.state == "decided",
            reviews.c.decided_at <= limit,
            runs.c.state.not_in(("done", "superseded")),
            reviews.c.run_id.not_in(select(actions.c.run_id)),
        )
    )
    return [
        Stuck(run_id=row.run_id, target=row.subject_id, key=None, state=row.state, since=row.decided_at) for row in rows
    ]
