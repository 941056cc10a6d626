"""Erasing a report on request: everything people wrote in it, wherever this program keeps it. What was done stays provable.

One transaction erases all that is in the database and records it in the ledger; from its commit on nothing can be read any more.
What stands outside of it (steps of runs, indexes, gaps in files) follows, and repeating the whole is always safe.
"""

import contextlib
import json
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, Field
from sqlalchemy import Connection, Row, or_, select, update

from qa_agents.checkpoint.inbox import Inbox
from qa_agents.checkpoint.ledger import Ledger, redact_in
from qa_agents.checkpoint.schema import PENDING
from qa_agents.errors import ConflictError, ErasedError, NotFoundError, QAAgentsError
from qa_agents.incidents.store import IncidentStore
from qa_agents.llm.kept import forget_answers
from qa_agents.runtime.dead_letters import erase_letters
from qa_agents.runtime.desk import set_run_state
from qa_agents.runtime.erased import erased_action, erased_applied, erased_decision, erased_shown
from qa_agents.runtime.lease import Leases
from qa_agents.runtime.savers import forget_threads
from qa_agents.storage.artifacts import erase_artifact, get_artifact
from qa_agents.storage.engine import Database
from qa_agents.storage.erase import compact, erasing
from qa_agents.storage.tables import actions, decisions, incidents, ledger, reports, reviews, runs
from qa_agents.trackers.schema import Action, describe

FINISHED = ("done", "superseded")
"""Runs that nothing is going to happen in."""
_IN_CHUNK = 500


class Redacted(BaseModel):
    """What an erasure did, and what it cannot reach."""

    report_id: str
    documents: int = 0
    """Reports, bytes and verdicts erased now."""
    reviews: int = 0
    actions: int = 0
    letters: int = 0
    """Dead deliveries and jobs that named the report."""
    memory: bool = False
    """Whether the memory held the report and was made to forget it now."""
    entries: list[int] = Field(default_factory=list)
    """Numbers of the ledger entries whose payload was erased now; their hashes stay."""
    unerasable: list[int] = Field(default_factory=list)
    """Entries of an older release: their hash covers what they say."""
    in_tracker: list[str] = Field(default_factory=list)
    """What we wrote into the tracker and nobody took back: it is left there."""
    cited_in: list[str] = Field(default_factory=list)
    """Other reports whose verdict names this one and may quote it."""
    left: list[str] = Field(default_factory=list)
    """What could not be done just now, one sentence each; repeating does it."""


@dataclass(frozen=True)
class Around:
    """What the redaction needs besides the database."""

    saver: Any
    store: IncidentStore
    forget: Callable[[], list[str]]
    """Makes the indexes forget what the store erased; returns what could not be done."""


class Redactor:
    """Erases one report at a time, under the leases of all its runs."""

    def __init__(
        self, database: Database, inbox: Inbox, ledger: Ledger, around: Around, now: Callable[[], float] = time.time
    ) -> None:
        self._database = database
        self._inbox = inbox
        self._ledger = ledger
        self._around = around
        self._now = now
        self._leases = Leases(database, now)

    def redact(self, report_id: str, *, by: str, reason: str, unsettled: bool = False) -> Redacted:
        """Erase the report or incident `report_id` everywhere but in the tracker; a repetition erases what came since.

        `unsettled`: also when it waits for a person or is not finished, which settles it. Raises NotFoundError when nothing is
        known by that id, ConflictError while it is unsettled (or changes that were approved for it are not made yet, or another
        process works on it), InvalidInputError without a reason.
        """
        with self._database.read() as connection:
            passes = _runs(connection, report_id)
        with contextlib.ExitStack() as held:
            for run_id in passes:
                held.enter_context(self._leases.hold(run_id))
            with erasing(self._database) as connection:
                self._leases.refuse_stale(connection)
                result = self._erase(connection, report_id, by, reason, unsettled)
            result.left += self._erase_around(passes)
        with self._database.read() as connection:
            result.in_tracker = _in_tracker(connection, passes)
            result.cited_in = _cited_in(connection, report_id)
        return result

    def _erase(self, connection: Connection, report_id: str, by: str, reason: str, unsettled: bool) -> Redacted:
        """All of it that is in the database."""
        accounts = connection.execute(select(reports).where(reports.c.report_id == report_id)).all()
        known = connection.execute(select(incidents.c.pk).where(incidents.c.id == report_id)).first()
        self._settle(connection, report_id, accounts, unsettled)
        result = Redacted(report_id=report_id)
        ours, others = _documents(connection, report_id)
        result.documents = sum(erase_artifact(connection, sha) for sha in sorted(ours - others))
        result.reviews = _erase_reviews(connection, report_id)
        result.actions = _erase_actions(connection, report_id)
        result.letters = erase_letters(connection, report_id)
        result.memory = self._around.store.erase_in(connection, report_id)
        forget_answers(connection)
        connection.execute(
            update(reports)
            .where(reports.c.report_id == report_id, reports.c.error.is_not(None))
            .values(error="(erased)")
        )
        counts = result.model_dump(include={"documents", "reviews", "actions", "letters", "memory"})
        told = counts if any(counts.values()) else {}
        done = redact_in(connection, self._ledger, actor=by, reason=reason, subject=report_id, **told)
        result.entries, result.unerasable = done.erased, done.unerasable
        recorded = select(ledger.c.seq).where(ledger.c.subject == report_id).limit(1)
        if not (accounts or known or connection.execute(recorded).first()):
            raise NotFoundError(
                f"No report and no incident {report_id} is known.", hint="`qa-agents ledger show` lists what happened."
            )
        return result

    def _settle(self, connection: Connection, report_id: str, accounts: Sequence[Row[Any]], unsettled: bool) -> None:
        """Refuse what is not settled, or (when told) settle it as decided: nothing is made for it any more."""
        passes = connection.execute(
            select(runs).where(runs.c.subject_id == report_id, runs.c.state.not_in(FINISHED))
        ).all()
        if not passes:
            return
        if not unsettled:
            states = ", ".join(sorted({row.state for row in accounts})) or "unfinished"
            raise ConflictError(
                f"{report_id} is not settled ({states}), so it is not erased.",
                hint="Decide it first, or say --unsettled to erase it as it stands and settle it thereby.",
            )
        ids = [row.run_id for row in passes]
        open_ = actions.c.run_id.in_(ids), actions.c.state.in_(("planned", "trying"))
        if connection.execute(select(actions.c.key).where(*open_).limit(1)).first():
            raise ConflictError(
                f"Changes that were approved for {report_id} are not made yet, so it is not erased.",
                hint=f"`qa-agents recover` makes them, `qa-agents undo {report_id}` gives them up.",
            )
        waits = select(reviews.c.review_id).where(reviews.c.subject_id == report_id, reviews.c.state.in_(PENDING))
        if connection.execute(waits.limit(1)).first():
            self._inbox.supersede(connection, report_id, by="redaction")
        for run_id in ids:
            set_run_state(connection, run_id, "done", self._now(), report_state="decided")
            self._ledger.append(connection, "recorded", report_id, run_id=run_id, state="decided", verdict="erased")

    def _erase_around(self, passes: Sequence[str]) -> list[str]:
        """What follows the commit. Each part may fail without keeping the others from their work."""
        left = list(self._attempt(lambda: forget_threads(self._around.saver, passes)))
        left += self._around.forget()
        return [*left, *self._attempt(lambda: compact(self._database))]

    @staticmethod
    def _attempt(work: Callable[[], None]) -> Iterable[str]:
        try:
            work()
        except QAAgentsError as error:
            yield str(error)


def _runs(connection: Connection, report_id: str) -> list[str]:
    query = select(runs.c.run_id).where(runs.c.subject_id == report_id).order_by(runs.c.started_at)
    return list(connection.execute(query).scalars())


def _documents(connection: Connection, report_id: str) -> tuple[set[str], set[str]]:
    """(hashes of every document of this report, those of them that another report has, too).

    Earlier versions and verdicts that were replaced are named by the ledger alone.
    """
    named = {"received": "raw_sha256", "invalid": "raw_sha256", "triaged": "document"}
    rows = connection.execute(
        select(ledger.c.event, ledger.c.payload).where(ledger.c.subject == report_id, ledger.c.event.in_(named))
    ).all()
    found = {str((row.payload or {}).get(named[row.event])) for row in rows}
    mine, columns = runs.c.subject_id == report_id, (runs.c.input_sha256, runs.c.outcome_sha256)
    for row in connection.execute(select(*columns).where(mine)):
        found |= {sha for sha in row if sha}
    found |= set(connection.execute(select(reports.c.raw_sha256).where(reports.c.report_id == report_id)).scalars())
    others: set[str] = set()
    listed = sorted(found)
    for start in range(0, len(listed), _IN_CHUNK):
        page = listed[start : start + _IN_CHUNK]
        foreign = select(*columns).where(~mine, or_(*(column.in_(page) for column in columns)))
        others |= {sha for row in connection.execute(foreign) for sha in row if sha}
        raw = select(reports.c.raw_sha256).where(reports.c.report_id != report_id, reports.c.raw_sha256.in_(page))
        others |= set(connection.execute(raw).scalars())
    return found, others


def _erase_reviews(connection: Connection, report_id: str) -> int:
    """Erase what was shown and what people answered in their own words; digests, verdicts and names of reviewers stay."""
    count = 0
    rows = connection.execute(select(reviews).where(reviews.c.subject_id == report_id)).all()
    for row in rows:
        shown = erased_shown(row.shown)
        values: dict[str, Any] = {"shown": shown}
        if row.decision:
            values["decision"] = erased_decision(row.decision)
        connection.execute(update(reviews).where(reviews.c.review_id == row.review_id).values(**values))
        count += shown != row.shown
    ids = [row.review_id for row in rows]
    ids += _runs(connection, report_id)  # audits are recorded under the run
    for answer in connection.execute(select(decisions).where(decisions.c.review_id.in_(ids))).all():
        body = erased_decision(answer.body)
        connection.execute(update(decisions).where(decisions.c.pk == answer.pk).values(body=body))
    return count


def _erase_actions(connection: Connection, report_id: str) -> int:
    """Erase what was written and what stood there before; values of the team's own fields stay, and can still be undone."""
    count = 0
    mine = actions.c.run_id.in_(select(runs.c.run_id).where(runs.c.subject_id == report_id))
    for row in connection.execute(select(actions).where(mine)).all():
        values = {
            "body": erased_action(row.body),
            "before": erased_applied(row.body, row.before),
            "error": "(erased)" if row.error else None,
        }
        connection.execute(update(actions).where(actions.c.key == row.key).values(**values))
        count += values["body"] != row.body
    return count


def _in_tracker(connection: Connection, passes: Sequence[str]) -> list[str]:
    """What we wrote that holds the report's words and still stands, one line each."""
    standing = actions.c.run_id.in_(passes), actions.c.state == "done", actions.c.undoes.is_(None)
    rows = connection.execute(select(actions).where(*standing).order_by(actions.c.done_at, actions.c.position))
    texts = (Action.model_validate(row.body) for row in rows if row.before is None)
    return [f"{action.target}: {action.kind} ({describe(action)})" for action in texts]


def _cited_in(connection: Connection, report_id: str) -> list[str]:
    """Other reports whose newest verdict names this one; one pass over all verdicts."""
    needle, found = json.dumps(report_id, ensure_ascii=False).encode(), set()
    others = select(runs.c.subject_id, runs.c.outcome_sha256).where(
        runs.c.subject_id != report_id, runs.c.outcome_sha256.is_not(None)
    )
    for row in connection.execute(others).all():
        with contextlib.suppress(ErasedError, NotFoundError):
            if needle in get_artifact(connection, row.outcome_sha256):
                found.add(row.subject_id)
    return sorted(found)
