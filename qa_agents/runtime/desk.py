"""The desk: starts runs, opens reviews when they stop, resumes them with decisions, and takes up what a crash left."""

import time
from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy import Connection, bindparam, select, update

from qa_agents.checkpoint.inbox import Inbox
from qa_agents.checkpoint.ledger import Ledger
from qa_agents.checkpoint.policy import Reviewer
from qa_agents.checkpoint.schema import Decision, Review
from qa_agents.errors import ConflictError, NotFoundError, QAAgentsError, StoppedError, StorageError
from qa_agents.runtime.drain import draining
from qa_agents.runtime.lease import Leases
from qa_agents.runtime.savers import ANSWERED_DURABILITY, DURABILITY, run_config
from qa_agents.storage.artifacts import get_artifact
from qa_agents.storage.canonical import digest_of
from qa_agents.storage.engine import Database, ask, later
from qa_agents.storage.prepared import Prepared
from qa_agents.storage.tables import reports, runs

RUN = Prepared(update(runs).where(runs.c.run_id == bindparam("the_run")))
"""Changes the run `the_run`; the other parameters name columns."""
_OF_RUN = update(reports).where(reports.c.run_id == bindparam("the_run"))
_REPORT = Prepared(_OF_RUN)
_ATTEMPT = Prepared(_OF_RUN.values(attempts=reports.c.attempts + 1))
_LOAD = Prepared(select(runs).where(runs.c.run_id == bindparam("the_run")))
MAX_PASSES = 3
"""How often one call may find a run unfinished before its steps are begun anew, and then before it is called broken."""


class Desk:
    """Drives graphs, one run under one lease. `graphs` maps a run's kind to a function that builds its StateGraph."""

    def __init__(
        self,
        database: Database,
        inbox: Inbox,
        ledger: Ledger,
        leases: Leases,
        saver: Any,
        graphs: Mapping[str, Callable[[], Any]],
        now: Callable[[], float] = time.time,
    ) -> None:
        self._database = database
        self._inbox = inbox
        self._ledger = ledger
        self._leases = leases
        self._saver = saver
        self._builders = graphs
        self._compiled: dict[str, Any] = {}
        self._now = now

    def run(self, run_id: str) -> Review | None:
        """Bring a run to its end or to the checkpoint; returns the review that waits, None when it is finished.

        Safe to call for a run in any state. Raises ConflictError when another process drives it; on any other error the run is
        marked as failed-will-retry and the error is raised.
        """
        with self._leases.hold(run_id):
            return self._drive(run_id, answer=None, last=True)

    def decide(self, decision: Decision, reviewer: Reviewer | None = None) -> Review:
        """Record a decision, then resume its run if that was the last one needed.

        Raises ConflictError when it cannot be taken, NotAllowedError when it is not this person's; nothing is changed then.
        """
        review = self._inbox.find(decision.review_id, bare=True)
        with self._leases.hold(review.run_id):
            snapshot = self._check_still_asked(review)
            decided = self._inbox.decide(decision, reviewer)
            if decided.state == "decided":
                self._drive(review.run_id, answer=decided, snapshot=snapshot, last=True)
        return decided

    def _check_still_asked(self, review: Review) -> Any:
        """Where the run stands; refuse an answer that the graph no longer asks for, and bring the run to what it asks now.

        None when that is not known, because there is nothing to check or the run was driven meanwhile.
        """
        if not review.waits:
            return None
        snapshot = self._graph(review.kind).get_state(run_config(review.run_id))
        if any(_asks(interrupt, review) for interrupt in snapshot.interrupts):
            return snapshot
        if not self._inbox.find(review.review_id, bare=True).waits:
            return None  # answered or replaced since it was read
        self._drive(review.run_id, answer=None)
        if self._inbox.find(review.review_id, bare=True).waits:
            return None  # it asks the same again, word for word
        raise ConflictError(
            f"{review.review_id} is no longer what its run waits for.",
            hint=f"`qa-agents review show {review.subject_id}` shows what waits now.",
        )

    def _drive(self, run_id: str, answer: Review | None, *, snapshot: Any = None, last: bool = False) -> Review | None:
        """Take the run on until it is done or asks.

        `snapshot`: where it stands, if that is known. `last`: the lease ends with what is written last.
        """
        try:
            for number in range(2 * MAX_PASSES):
                run = self._load(run_id)
                if run["state"] in ("done", "superseded"):
                    self._saver.delete_thread(run_id)
                    return None
                if number == MAX_PASSES:
                    # LangGraph's steps cannot be fenced: those that a worker left which lost its lease may lead nowhere. Begin
                    # them again: what was done is in our own rows and is not done twice; a person may be asked once more.
                    self._saver.delete_thread(run_id)
                    answer = snapshot = None
                review = self._step(run, answer, snapshot, last=last)
                snapshot = None
                if review is not None and review.waits:
                    return review
                answer = review
            raise StorageError(f"The run {run_id} does not come to an end.", hint="`qa-agents recover` tries again.")
        except Exception as error:
            self._fail(run_id, error)
            raise

    def _step(self, run: dict[str, Any], answer: Review | None, snapshot: Any, *, last: bool) -> Review | None:
        """Take the run one stretch further: from its start, from where it stopped, or with the answer it waits for."""
        from langgraph.errors import GraphDrained
        from langgraph.types import Command

        graph, config, durability = self._graph(run["kind"]), run_config(run["run_id"]), DURABILITY
        if snapshot is None and self._saver.get_tuple(config) is not None:
            snapshot = graph.get_state(config)
        if snapshot is not None and snapshot.interrupts:
            review = answer or self._open_review(run, snapshot.interrupts[0], last=last)
            if review.state == "superseded":
                # A worker that lost its lease left these steps behind: what they ask is asked no more, so begin again.
                with self._database.write(durable=False) as connection:
                    self._leases.refuse_stale(connection)
                self._saver.delete_thread(run["run_id"])
                return None
            if review.state != "decided" or review.decision is None:
                return review
            if not _asks(snapshot.interrupts[0], review):
                return self._open_review(run, snapshot.interrupts[0], last=last)
            given: Any = Command(resume={snapshot.interrupts[0].id: review.decision.model_dump(mode="json")})
            durability = ANSWERED_DURABILITY
        elif snapshot is None:
            given = {
                "run_id": run["run_id"],
                "source": run["source"],
                "subject_id": run["subject_id"],
                "input_sha256": run["input_sha256"],
                "options": run["options"],
            }
        else:
            given = None
        try:
            result = graph.invoke(given, config, durability=durability, **draining())
        except GraphDrained:
            raise StoppedError(
                "It was given up before it was finished.", hint="`qa-agents recover` goes on with it."
            ) from None
        interrupts = result.get("__interrupt__", ()) if isinstance(result, dict) else ()
        return self._open_review(run, interrupts[0], last=last) if interrupts else None

    def _open_review(self, run: dict[str, Any], interrupt: Any, *, last: bool) -> Review:
        """Ask a person; refused to a worker whose lease another one has taken, so that nothing is asked twice.

        Not flushed: what answers it is, and takes it along. A power loss before that may cost the question, which is asked anew.
        """
        with self._database.write(durable=False) as connection:
            self._ledger.expect(connection)
            refuse_stale = self._leases.stale_asked(connection)
            review = self._inbox.open(
                connection,
                run_id=run["run_id"],
                interrupt_id=interrupt.id,
                kind=run["kind"],
                subject_id=run["subject_id"],
                shown=interrupt.value,
            )
            refuse_stale()
            if review.waits:
                set_run_state(connection, run["run_id"], "waiting", self._now())
                if last:
                    self._leases.give_back(connection, run["run_id"])
        return review

    def _load(self, run_id: str) -> dict[str, Any]:
        with self._database.single() as connection:
            found = ask(connection, _LOAD, the_run=run_id)
        if not found:
            raise NotFoundError(f"There is no run {run_id}.")
        return found[0]

    def _graph(self, kind: str) -> Any:
        if kind not in self._compiled:
            if kind not in self._builders:
                raise ConflictError(f"This release cannot continue a {kind} run.", hint="Upgrade qa-agents.")
            self._compiled[kind] = self._builders[kind]().compile(checkpointer=self._saver)
        return self._compiled[kind]

    def _fail(self, run_id: str, error: Exception) -> None:
        """Mark the run as failed-will-retry; when even that cannot be written, the row still says so: it is unfinished."""
        token = self._leases.token_of(run_id)
        said = str(error) if isinstance(error, QAAgentsError) else f"{type(error).__name__}: {error}"
        said = said[:2000]
        try:
            with self._database.write() as connection:
                if token is not None and not self._leases.is_current(connection, run_id, token):
                    return  # the run is another worker's by now: it says how it went
                counted = not isinstance(error, StoppedError)
                set_run_state(connection, run_id, "failed", self._now(), error=said, counted=counted)
                self._ledger.append(connection, "failed", run_id, error=said)
        except StorageError:
            return

    def outcome(self, run_id: str) -> bytes | None:
        """The document a run has produced so far (for triage: the verdict as JSON), or None."""
        with self._database.read() as connection:
            sha = connection.execute(select(runs.c.outcome_sha256).where(runs.c.run_id == run_id)).scalar()
            return get_artifact(connection, sha) if sha else None


def _asks(interrupt: Any, review: Review) -> bool:
    """Whether an interrupt is the question that a review shows: its own, or one that a worker asked again word for word."""
    return bool(interrupt.id == review.interrupt_id or digest_of(interrupt.value) == review.digest)


def set_run_state(
    connection: Connection,
    run_id: str,
    state: str,
    at: float,
    *,
    error: str | None = None,
    report_state: str | None = None,
    counted: bool = True,
) -> None:
    """Move a run, and the report it is about, to `state` (the report to `report_state` where that differs).

    A failure counts as an attempt unless it was not `counted`, because a person had stopped it.
    """
    finished = {"finished_at": at} if state == "done" else {}
    later(connection, RUN, the_run=run_id, state=state, **finished)
    values: dict[str, Any] = {"state": report_state or state, "error": error, "changed_at": at}
    if state == "failed" and counted:
        later(connection, _ATTEMPT, the_run=run_id)
    later(connection, _REPORT, the_run=run_id, **values)
