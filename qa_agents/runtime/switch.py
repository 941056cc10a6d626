"""The stop switch: one fact in the database that keeps the outbox from making any outside effect."""

import time
from collections.abc import Callable
from datetime import UTC, datetime

from pydantic import BaseModel, ConfigDict
from sqlalchemy import Connection, select

from qa_agents.checkpoint.ledger import Ledger
from qa_agents.errors import ConflictError, StoppedError, UsageError
from qa_agents.storage.engine import Database, fact_asked, remember_fact
from qa_agents.storage.tables import actions

FACT = "stopped"
"""Name of the workspace fact that holds the Stop; null once it is lifted."""


class Stop(BaseModel):
    """Who stopped all outside effects, when (seconds since the epoch, UTC) and why."""

    model_config = ConfigDict(frozen=True)

    by: str
    at: float
    reason: str = ""

    def __str__(self) -> str:
        since = datetime.fromtimestamp(self.at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
        return (
            f"Outside effects are stopped by {self.by} since {since}: {self.reason.rstrip('. ') or 'no reason given'}."
        )


class Stopping(BaseModel):
    """What stopping found."""

    stop: Stop
    """The one in force: an earlier one when it was stopped already."""
    fresh: bool
    on_the_way: list[str]
    """Keys of actions that were claimed before and not answered yet: they may still arrive."""


class Switch:
    """Stops and resumes outside effects, for every process over the same database, from the commit on."""

    def __init__(self, database: Database, ledger: Ledger, now: Callable[[], float] = time.time) -> None:
        self._database = database
        self._ledger = ledger
        self._now = now

    def stop(self, by: str, reason: str = "") -> Stopping:
        """Stop all outside effects; a second stop changes nothing. On disk when this returns."""
        with self._database.write() as connection:
            standing = stop_in_force(connection)
            stop = standing or Stop(by=by, at=self._now(), reason=reason)
            if standing is None:
                remember_fact(connection, FACT, stop.model_dump(mode="json"))
                self._ledger.append(connection, "stopped", "workspace", actor=by, reason=reason)
            trying = connection.execute(select(actions.c.key).where(actions.c.state == "trying"))
            return Stopping(stop=stop, fresh=standing is None, on_the_way=sorted(trying.scalars()))

    def resume(self, by: str, reason: str) -> Stop:
        """Lift the stop and return it. Raises UsageError without a reason, ConflictError when nothing is stopped."""
        if not reason.strip():
            raise UsageError("Resuming needs a reason.", hint="Say why it is safe again with --reason.")
        with self._database.write() as connection:
            stop = stop_in_force(connection)
            if stop is None:
                raise ConflictError("Outside effects are not stopped.", hint="Nothing is to be resumed.")
            remember_fact(connection, FACT, None)
            self._ledger.append(
                connection, "resumed", "workspace", actor=by, reason=reason, stopped_by=stop.by, stopped_at=stop.at
            )
        return stop

    def in_force(self) -> Stop | None:
        """The stop in force, or None."""
        with self._database.read() as connection:
            return stop_in_force(connection)


def stop_in_force(connection: Connection) -> Stop | None:
    """The stop in force, or None. Inside a write transaction the answer holds until its commit."""
    return stop_asked(connection)()


def stop_asked(connection: Connection) -> Callable[[], Stop | None]:
    """As `stop_in_force`; the question travels with others, and the answer is there when it is called for."""
    answer = fact_asked(connection, FACT)

    def found() -> Stop | None:
        stored = answer()
        return None if stored is None else Stop.model_validate(stored)

    return found


def refusal(stop: Stop) -> StoppedError:
    """The error that says why nothing is written outside now, and what happens to what was decided."""
    return StoppedError(
        str(stop),
        hint="What was decided is kept: `qa-agents resume --reason …`, then `qa-agents recover`, carries it out.",
    )
