"""The outbox: what shall change outside is written down first, claimed, made once, and marked done after it was seen there."""

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, bindparam, delete, insert, select, update

from qa_agents.checkpoint.ledger import Ledger
from qa_agents.errors import ConflictError, InvalidInputError, NotFoundError, QAAgentsError, UnavailableError
from qa_agents.runtime.lease import Leases
from qa_agents.runtime.stuck import STUCK_SECONDS, Stuck, find_stuck
from qa_agents.runtime.switch import Stop, refusal, stop_asked, stop_in_force
from qa_agents.storage.canonical import digest_of
from qa_agents.storage.engine import Database, later, soon
from qa_agents.storage.prepared import Prepared, Record
from qa_agents.storage.tables import actions as table
from qa_agents.trackers.protocol import Tracker
from qa_agents.trackers.schema import Action, Applied, Effects

MAX_ATTEMPTS = 5
"""How often an action is tried without an answer; the next attempt only looks whether it is there, and else fails it."""
_ACTION = Prepared(update(table).where(table.c.key == bindparam("the_key")))
_PLANNED = Prepared(insert(table))
_OF_RUN = Prepared(select(table).where(table.c.run_id == bindparam("the_run")))
OPEN = ("planned", "trying", "dropped")
"""States of an action that may still be made."""


@dataclass(frozen=True)
class Intent:
    """One action with its idempotency key; `undoes` is the key of the action that it takes back for the person `by`."""

    key: str
    action: Action
    undoes: str | None = None
    by: str = "qa-agents"
    while_stopped: bool = False
    """A person asked for it knowing that outside effects are stopped; only ever an undo."""


@dataclass(frozen=True)
class Claim:
    """An intent that this worker alone may make now, for the `attempt`-th time."""

    intent: Intent
    attempt: int
    last_error: str | None
    last: bool
    """Nothing else is open."""


@dataclass(frozen=True)
class Answer:
    """What the tracker said to a claim: how it was applied, or why it cannot be."""

    intent: Intent
    applied: Applied | None = None
    error: str | None = None


@dataclass(frozen=True)
class _Standing:
    """How an action stands."""

    state: str
    attempts: int = 0
    error: str | None = None


class Outbox:
    """Carries out the actions of a run, each exactly once, however often and by however many it is asked to.

    Everything written here is written under the lease of the run: the caller's, or one taken for the call.
    """

    def __init__(
        self, database: Database, tracker: Tracker, ledger: Ledger, now: Callable[[], float] = time.time
    ) -> None:
        self._database = database
        self._tracker = tracker
        self._ledger = ledger
        self._now = now
        self._leases = Leases(database, now)

    def carry_out(self, run_id: str, actions: Sequence[Action], seen_version: str | None) -> Effects:
        """Make the actions on their issue, which must still be at `seen_version` (None: not there yet).

        Raises UnavailableError when the tracker cannot be reached or outside effects are stopped, ConflictError when another
        worker took the run over; the rest stays planned and a repetition goes on there.
        """
        keyed = {action_key(run_id, action, seen_version): action for action in actions}
        intents = [Intent(key, action) for key, action in keyed.items()]
        if not intents:
            return Effects(status="done")
        with self._leases.ensure(run_id) as token:
            if self._is_changed(intents, seen_version):
                self._drop(run_id, token, intents)
                return Effects(status="changed")
            return self._effects(self._work(run_id, token, intents))

    def take_back(self, run_id: str, key: str, inverse: Action, by: str, *, while_stopped: bool = False) -> bool:
        """Make the inverse of the done action `key`; False when the tracker refused it, because something else stands there.

        Repeating it changes nothing. Raises what `carry_out` raises; `while_stopped` goes past the stop switch, and is recorded.
        """
        intent = Intent(undo_key(key), inverse, undoes=key, by=by, while_stopped=while_stopped)
        with self._leases.ensure(run_id) as token:
            self._work(run_id, token, [intent])
        with self._database.read() as connection:
            return connection.execute(select(table.c.state).where(table.c.key == key)).scalar() == "undone"

    def cancel(self, run_id: str, keys: Sequence[str], by: str) -> list[str]:
        """Give up those of a run's actions that were not made yet, and return their keys; one found made is marked done."""
        mine = table.c.run_id == run_id, table.c.key.in_(keys), table.c.state.in_(OPEN)
        with self._leases.ensure(run_id) as token:
            with self._database.read() as connection:
                rows = connection.execute(select(table).where(*mine).order_by(table.c.position)).all()
            found = {row.key for row in rows if row.state == "trying" and self._is_there(row.target, row.key)}
            intents = [Intent(row.key, Action.model_validate(row.body)) for row in rows]
            self._work(run_id, token, [intent for intent in intents if intent.key in found])
            given_up = [intent for intent in intents if intent.key not in found]
            if given_up:
                with self._fenced(run_id, token) as connection:
                    self._close(connection, given_up, "undone", f"Cancelled by {by} before it was made.")
                    for intent in given_up:
                        target = intent.action.target
                        self._ledger.append(connection, "action_undone", target, actor=by, key=intent.key, made=False)
        return [intent.key for intent in given_up]

    def withhold(self, run_id: str, actions: Sequence[Action], seen_version: str | None, why: Sequence[str]) -> None:
        """Put back what an earlier attempt planned and did not make, because it may not go unseen any more; recorded once asked.

        What turns out to have been made is marked done. A later `carry_out` of the same actions makes the rest.
        """
        keyed = {action_key(run_id, action, seen_version): action for action in actions}
        intents = [Intent(key, action) for key, action in keyed.items()]
        with self._leases.ensure(run_id) as token:
            with self._database.read() as connection:
                trying = select(table.c.key, table.c.target).where(_among(intents), table.c.state == "trying")
                rows = connection.execute(trying).all()
            found = {row.key for row in rows if self._is_there(row.target, row.key)}
            self._work(run_id, token, [intent for intent in intents if intent.key in found])
            with self._fenced(run_id, token) as connection:
                rest = [intent for intent in intents if intent.key not in found]
                self._close(connection, rest, "dropped", "It was held back for a person.")
                target = intents[0].action.target if intents else run_id
                self._ledger.append(connection, "held", target, run_id=run_id, because=list(why))

    def of_run(self, run_id: str) -> list[dict[str, object]]:
        """The actions of a run, in order: `{key, state, error, kind, target, params}`; what undoes them is not among them."""
        mine = table.c.run_id == run_id, table.c.undoes.is_(None)
        with self._database.read() as connection:
            rows = connection.execute(select(table).where(*mine).order_by(table.c.position)).all()
        return [{"key": row.key, "state": row.state, "error": row.error, **row.body} for row in rows]

    def stuck(self, now: float, older_than: float = STUCK_SECONDS) -> list[Stuck]:
        """What was approved more than `older_than` seconds ago and is neither done nor failed, oldest first."""
        with self._database.read() as connection:
            return find_stuck(connection, now - older_than)

    def _is_changed(self, intents: Sequence[Intent], seen_version: str | None) -> bool:
        """Whether the issue moved for a reason other than our own earlier attempt."""
        target = intents[0].action.target
        issue = self._tracker.get(target)
        if (issue.version if issue else None) == seen_version:
            return False
        return not any(self._is_there(target, intent.key) for intent in intents)

    def _is_there(self, target: str, key: str) -> bool:
        return self._tracker.was_applied(target, key)

    def _drop(self, run_id: str, token: int, intents: Sequence[Intent]) -> None:
        """Close what was planned on a state of the issue that is gone; usually nothing was, and nothing is written."""
        with self._database.read() as connection:
            rows = connection.execute(
                select(table.c.key).where(_among(intents), table.c.state.in_(("planned", "trying")))
            ).all()
        if rows:
            with self._fenced(run_id, token) as connection:
                self._close(connection, intents, "dropped", "The issue had changed since it was decided.")

    def _work(self, run_id: str, token: int, intents: Sequence[Intent]) -> dict[str, _Standing]:
        """Make every intent that is still open, and say how each, by key, stands then.

        Per action one tracker call and one transaction, and one before the first. The one after the last is not flushed: it only
        writes down what the tracker shows, and a power loss before the next flush is made good like a lost answer, by looking.
        """
        step: Claim | Stop | dict[str, _Standing] = {}
        if intents:
            step = self._advance(run_id, token, intents, None)
        while isinstance(step, Claim):
            step = self._advance(run_id, token, intents, self._ask(run_id, token, step), durable=not step.last)
        if isinstance(step, Stop):
            raise refusal(step)
        return step

    def _advance(
        self, run_id: str, token: int, intents: Sequence[Intent], answer: Answer | None, *, durable: bool = True
    ) -> Claim | Stop | dict[str, _Standing]:
        """In one transaction: check the fence, write down the answer (at first: the plan), and claim the next open action.

        Returns the claim, the stop that forbids it, or how every intent stands when nothing is open.
        """
        with self._database.write(durable=durable) as connection:
            found, stopped = soon(connection, _OF_RUN, the_run=run_id), stop_asked(connection)
            if answer is not None:
                self._ledger.expect(connection)
            self._check_fence(connection, run_id, token)
            rows = {row["key"]: row for row in found.records()}
            standing = {intent.key: _standing(rows.get(intent.key)) for intent in intents}
            if answer is not None:
                standing[answer.intent.key] = _Standing("done" if answer.applied else "failed", error=answer.error)
            open_ = [intent for intent in intents if standing[intent.key].state in OPEN]
            stop = stopped() if open_ else None
            if answer is None:
                self._plan(connection, run_id, [intent for intent in intents if intent.key not in rows], intents)
            else:
                self._settle(connection, answer)
            if not open_:
                return standing
            if stop is not None and not open_[0].while_stopped:
                return stop
            at = standing[open_[0].key]
            values = {"state": "trying", "attempts": at.attempts + 1, "tried_at": self._now()}
            later(connection, _ACTION, the_key=open_[0].key, **values)
            return Claim(open_[0], attempt=at.attempts + 1, last_error=at.error, last=len(open_) == 1)

    def _ask(self, run_id: str, token: int, claim: Claim) -> Answer:
        """Make the change. A repetition is safe: the tracker looks for the key before it writes."""
        intent = claim.intent
        try:
            if claim.attempt > MAX_ATTEMPTS and not self._is_there(intent.action.target, intent.key):
                why = f" The last time: {claim.last_error}" if claim.last_error else ""
                return Answer(intent, error=f"It was tried {MAX_ATTEMPTS} times without an answer.{why}")
            return Answer(intent, applied=self._tracker.apply(intent.action, intent.key))
        except (NotFoundError, ConflictError, InvalidInputError) as error:
            return Answer(intent, error=str(error))
        except UnavailableError as error:
            with contextlib.suppress(QAAgentsError), self._fenced(run_id, token) as connection:
                connection.execute(update(table).where(table.c.key == intent.key).values(error=str(error)))
            raise

    @contextlib.contextmanager
    def _fenced(self, run_id: str, token: int) -> Iterator[Connection]:
        """A write transaction of the run's current holder, whose lease it prolongs; a former holder is refused."""
        with self._database.write() as connection:
            self._check_fence(connection, run_id, token)
            yield connection

    def _check_fence(self, connection: Connection, run_id: str, token: int) -> None:
        if not self._leases.renew(connection, run_id, token):
            raise ConflictError(
                f"{run_id} was taken over by another worker; this one wrote nothing more.",
                hint="The other one goes on with it.",
            )

    def _plan(self, connection: Connection, run_id: str, fresh: Sequence[Intent], intents: Sequence[Intent]) -> None:
        for intent in fresh:
            row = {
                "key": intent.key,
                "run_id": run_id,
                "target": intent.action.target,
                "position": intents.index(intent),
                "body": intent.action.model_dump(mode="json"),
                "state": "planned",
                "planned_at": self._now(),
                "undoes": intent.undoes,
            }
            later(connection, _PLANNED, **row)

    def _settle(self, connection: Connection, answer: Answer) -> None:
        intent, applied = answer.intent, answer.applied
        told: dict[str, Any] = {
            "key": intent.key,
            "kind": intent.action.kind,
            "params_sha256": digest_of(intent.action.params),
            "tracker": self._tracker.name,
        }
        target = intent.action.target
        if applied is None and intent.undoes is not None:
            connection.execute(delete(table).where(table.c.key == intent.key))  # so that it may be tried again
            told |= {"undoes": intent.undoes, "error": answer.error}
            self._ledger.append(connection, "undo_conflict", target, actor=intent.by, **told)
            return
        values = {
            "state": "done" if applied else "failed",
            "before": applied.model_dump(mode="json") if applied else None,
            "error": answer.error,
            "done_at": self._now(),
        }
        later(connection, _ACTION, the_key=intent.key, **values)
        if intent.undoes is None:
            self._ledger.append(
                connection, "action_done" if applied else "action_failed", target, **told, error=answer.error
            )
        else:
            connection.execute(update(table).where(table.c.key == intent.undoes).values(state="undone"))
            told |= {"undoes": intent.undoes, "made": True}
            if intent.while_stopped and stop_in_force(connection) is not None:
                told["while_stopped"] = True
            self._ledger.append(connection, "action_undone", target, actor=intent.by, **told)

    def _close(self, connection: Connection, intents: Sequence[Intent], state: str, why: str) -> None:
        still_open = _among(intents), table.c.state.in_(OPEN)
        connection.execute(update(table).where(*still_open).values(state=state, error=why, done_at=self._now()))

    def _effects(self, standing: Mapping[str, _Standing]) -> Effects:
        effects = Effects(status="done")
        for key, at in standing.items():
            if at.state == "done":
                effects.done.append(key)
            else:
                effects.failed[key] = at.error or "It was undone."
        return effects


def _standing(row: Record | None) -> _Standing:
    return _Standing("planned") if row is None else _Standing(row["state"], row["attempts"], row["error"])


def action_key(run_id: str, action: Action, seen_version: str | None) -> str:
    """The idempotency key: one change, decided in one run, about one state of the issue."""
    return digest_of([run_id, "apply", action.model_dump(mode="json", exclude={"because"}), seen_version])


def undo_key(key: str) -> str:
    """The idempotency key of taking back the action with this key: it can be taken back once."""
    return digest_of(["undo", key])


def _among(intents: Sequence[Intent]) -> ColumnElement[bool]:
    return table.c.key.in_([intent.key for intent in intents])
