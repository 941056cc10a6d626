"""Whether people answer in the time that the policy gives them: what was decided, and what waits."""

from pydantic import BaseModel, ConfigDict
from sqlalchemy import case, func, select

from qa_agents.checkpoint.rates import Rate, wilson
from qa_agents.checkpoint.schema import PENDING
from qa_agents.storage.engine import Database
from qa_agents.storage.tables import reviews


class Timeliness(BaseModel):
    """Deadlines are those of the policy when a review was opened, quiet hours not taken off: it errs on the strict side."""

    model_config = ConfigDict(frozen=True)

    in_time: Rate
    """Decided before the deadline, among those that had one."""
    waiting: int
    overdue: int
    """Waiting, and past the deadline."""
    oldest_seconds: float | None
    """How long what waits longest has waited; None when nothing does."""


def timeliness(database: Database, *, since: float, now: float) -> Timeliness:
    """What was decided from `since` on, and what waits `now`, both in seconds since the epoch. Canaries count among them."""
    decided = (reviews.c.state == "decided", reviews.c.decided_at >= since, reviews.c.deadline.is_not(None))
    waits = reviews.c.state.in_(PENDING)
    kept = func.sum(case((reviews.c.decided_at <= reviews.c.deadline, 1), else_=0))
    late = func.sum(case((reviews.c.deadline <= now, 1), else_=0))
    with database.read() as connection:
        in_time, count = connection.execute(select(kept, func.count()).where(*decided)).one()
        overdue, waiting, oldest = connection.execute(
            select(late, func.count(), func.min(reviews.c.opened_at)).where(waits)
        ).one()
    return Timeliness(
        in_time=wilson(int(in_time or 0), int(count)),
        waiting=int(waiting),
        overdue=int(overdue or 0),
        oldest_seconds=None if oldest is None else max(0.0, now - float(oldest)),
    )
