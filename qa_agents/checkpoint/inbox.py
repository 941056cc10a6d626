"""The reviews that wait: opened once per interrupt, decided once, by as many people as the policy demands."""

import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from sqlalchemy import Connection, Select, bindparam, func, insert, or_, select, update

from qa_agents.checkpoint.answers import complaint
from qa_agents.checkpoint.hours import is_quiet
from qa_agents.checkpoint.ledger import Ledger
from qa_agents.checkpoint.policy import DEFAULT, Policy, Reviewer, authenticate
from qa_agents.checkpoint.schema import PENDING, Decision, Review
from qa_agents.checkpoint.votes import Ruling, may_decide, overdue, proposals, required_for, requirements
from qa_agents.errors import ConflictError, NotAllowedError, NotFoundError, QAAgentsError, UsageError
from qa_agents.storage.canonical import digest_of
from qa_agents.storage.engine import Database, ask, later, soon
from qa_agents.storage.prepared import Prepared, Record
from qa_agents.storage.tables import decisions, reviews

_IS_IT = reviews.c.review_id == bindparam("the_review")
_REVIEW = Prepared(select(reviews).where(_IS_IT).with_for_update())
_CHANGED = Prepared(update(reviews).where(_IS_IT))
_OPENED = Prepared(insert(reviews))
_VOTED = Prepared(insert(decisions))
_VOTES = Prepared(
    select(decisions.c.body)
    .where(decisions.c.review_id == bindparam("the_review"), decisions.c.purpose == "vote")
    .order_by(decisions.c.pk)
)
_IS_NAMED = reviews.c.review_id == bindparam("the_name")
_NAMED = Prepared(
    select(reviews)
    .where(or_(_IS_NAMED, reviews.c.subject_id == bindparam("the_name")))
    .order_by(_IS_NAMED.desc(), reviews.c.opened_at.desc())
    .limit(1)
)
"""The review `the_name`, or the newest of the report `the_name`."""
_WAITS = or_(*(reviews.c.state == state for state in PENDING))
_IS_ASKED = reviews.c.interrupt_id == bindparam("the_interrupt")
_NEAR = Prepared(
    select(reviews)
    .where(
        or_(
            (reviews.c.run_id == bindparam("the_run"))
            & (_IS_ASKED | (reviews.c.digest == bindparam("the_digest")) & _WAITS),
            (reviews.c.subject_id == bindparam("the_subject")) & _WAITS,
        )
    )
    .order_by(_IS_ASKED.desc())
)
"""What the run asks already, and what waits for the same subject."""


class Inbox:
    """Reviews in the database. What a person was shown is stored with the digest that a decision must carry."""

    def __init__(
        self,
        database: Database,
        ledger: Ledger,
        now: Callable[[], float] = time.time,
        policy: Policy = DEFAULT,
    ) -> None:
        self._database = database
        self._ledger = ledger
        self._now = now
        self.policy = policy

    def open(
        self,
        connection: Connection,
        *,
        run_id: str,
        interrupt_id: str,
        kind: str,
        subject_id: str,
        shown: dict[str, Any],
    ) -> Review:
        """The review for this interrupt, created on the first call; older pending ones of the subject are superseded.

        What the run asks again word for word, as after a crash, is the review that waits already, with the votes it has.
        `shown["form"]` says which form it has (an approval when absent); what it requires is fixed here, by today's policy.
        """
        digest = digest_of(shown)
        near = ask(
            connection,
            _NEAR,
            the_run=run_id,
            the_interrupt=interrupt_id,
            the_digest=digest,
            the_subject=subject_id,
        )
        for row in near:
            if row["run_id"] == run_id and (row["interrupt_id"] == interrupt_id or row["digest"] == digest):
                return _reviews(connection, [row])[0]
        if near:
            self.supersede(connection, subject_id, by=run_id)
        required = requirements(self.policy, shown, shown.get("form", "approval"), kind)
        review = Review(
            review_id=f"rv-{digest_of([run_id, interrupt_id])[:8]}",
            run_id=run_id,
            interrupt_id=interrupt_id,
            kind=kind,
            subject_id=subject_id,
            state="pending",
            digest=digest,
            shown=shown,
            opened_at=self._now(),
            form=required.form,
            requires=required,
        )
        values = review.model_dump(exclude={"decision", "votes"})
        later(connection, _OPENED, **values)
        self._ledger.append(
            connection,
            "review_opened",
            subject_id,
            review_id=review.review_id,
            run_id=run_id,
            digest=review.digest,
            form=review.form,
            rule=required.rule,
            approvals=required.approvals,
            policy_sha256=required.policy_sha256,
        )
        return review

    def supersede(self, connection: Connection, subject_id: str, *, by: str) -> None:
        """Close what still waits for this subject, because something newer is shown instead."""
        waiting = reviews.c.subject_id == subject_id, reviews.c.state.in_(PENDING)
        for row in connection.execute(select(reviews.c.review_id).where(*waiting)).all():
            self._ledger.append(connection, "superseded", subject_id, review_id=row.review_id, by=by)
        connection.execute(update(reviews).where(*waiting).values(state="superseded", decided_at=self._now()))

    def find(self, name: str, *, bare: bool = False) -> Review:
        """The review with this id, or the newest review of the report with this id; `bare`: without its votes.

        Raises NotFoundError.
        """
        with self._database.single() if bare else self._database.read() as connection:
            found = ask(connection, _NAMED, the_name=name)
            if not found:
                raise NotFoundError(f"There is no review {name}.", hint="`qa-agents review list` shows what waits.")
            return Review.model_validate(found[0]) if bare else _reviews(connection, found)[0]

    def newest(self, subjects: Sequence[str]) -> dict[str, Review]:
        """The newest review of each of these subjects that has one."""
        query = select(reviews).where(reviews.c.subject_id.in_(subjects)).order_by(reviews.c.opened_at)
        with self._database.read() as connection:
            return {review.subject_id: review for review in _reviews(connection, _records(connection, query))}

    def times_shown(self, subject_id: str) -> int:
        """How many reviews a subject has had, replaced ones too."""
        query = select(func.count()).select_from(reviews).where(reviews.c.subject_id == subject_id)
        with self._database.read() as connection:
            return int(connection.execute(query).scalar() or 0)

    def waiting(self, *, include_deferred: bool = False) -> list[Review]:
        """What waits for a person, oldest first; a deferred review appears when it is due, but not in quiet hours."""
        now = self._now()
        query: Select[Any] = select(reviews).where(reviews.c.state.in_(PENDING)).order_by(reviews.c.opened_at)
        if not include_deferred:
            due = [] if is_quiet(self.policy.quiet_hours, now) else [reviews.c.due_at <= now]
            query = query.where(or_(reviews.c.state == "pending", *due))
        with self._database.read() as connection:
            return _reviews(connection, _records(connection, query))

    def of_run(self, run_id: str) -> Review | None:
        """The newest review of a run, or None."""
        query = select(reviews).where(reviews.c.run_id == run_id).order_by(reviews.c.opened_at.desc())
        with self._database.read() as connection:
            return next(iter(_reviews(connection, _records(connection, query.limit(1)))), None)

    def decide(self, decision: Decision, reviewer: Reviewer | None = None) -> Review:
        """Record one answer to exactly what was shown; the review comes back decided when the answers are enough, else waiting.

        `reviewer` is who was authenticated; without one the name in the decision counts only where the policy lists nobody.
        Raises ConflictError when it was decided before, replaced, expired or showed something else; NotAllowedError when this
        person may not; UsageError when it is no answer to this. Refusals are in the ledger too.
        """
        now = self._now()
        refused: QAAgentsError | None = None
        with self._database.write() as connection:
            self._ledger.expect(connection)
            asked = soon(connection, _REVIEW, the_review=decision.review_id)
            votes = [
                Decision.model_validate(vote["body"]) for vote in ask(connection, _VOTES, the_review=decision.review_id)
            ]
            if not asked.records():
                raise NotFoundError(f"There is no review {decision.review_id}.")
            review = Review.model_validate({**asked.records()[0], "votes": votes})
            try:
                review = self._take(connection, review, decision, reviewer, now)
            except (ConflictError, NotAllowedError, UsageError) as error:
                refused = error
                self._refuse(connection, review, decision, error)
        if refused is not None:
            raise refused
        return review

    def route_overdue(self, now: float | None = None) -> list[Review]:
        """Send every overdue review where the policy says, and return those; time never approves anything."""
        moment = self._now() if now is None else now
        routed: list[Review] = []
        late = reviews.c.deadline <= moment  # quiet hours only put a deadline off
        query = select(reviews).where(reviews.c.state.in_(PENDING), late).order_by(reviews.c.opened_at)
        with self._database.read() as connection:
            waiting = _reviews(connection, _records(connection, query))
        if not any(overdue(self.policy, review, moment) for review in waiting):
            return routed
        with self._database.write() as connection:
            for review in _reviews(connection, _records(connection, query.with_for_update())):
                route = overdue(self.policy, review, moment)
                if route is None:
                    continue
                values = {"assigned_to": route.to, "routed_at": moment}
                _change(connection, review, **values)
                self._ledger.append(
                    connection,
                    "rerouted",
                    review.subject_id,
                    review_id=review.review_id,
                    to=route.to,
                    stage=route.stage,
                    waited_hours=round(route.waited_hours, 3),
                )
                routed.append(review.model_copy(update=values))
        return routed

    def _take(
        self, connection: Connection, review: Review, given: Decision, reviewer: Reviewer | None, now: float
    ) -> Review:
        """Check one answer, record it, and return the review as the answer leaves it."""
        _check_open(review)
        by = reviewer or authenticate(self.policy, given.reviewer, login=None, token=None)
        decision = given.model_copy(update={"roles": list(by.roles), "auth": by.auth})
        _check_digest(review, decision)
        required = required_for(self.policy, review, decision)
        ruling = may_decide(
            self.policy,
            required,
            by,
            decision,
            review.votes,
            required.proposer,
            now,
            assigned_to=review.assigned_to,
            opened_at=review.opened_at,
        )
        if not ruling.allowed:
            raise _refusal_of(review, ruling)
        wrong = complaint(self.policy, review, required, decision, now)
        if wrong:
            raise UsageError(wrong, hint=f"`qa-agents review show {review.review_id}` shows what can be answered.")
        if ruling.repeated and not ruling.complete:
            return review
        body = decision.model_dump(mode="json")
        vote = {
            "review_id": review.review_id,
            "reviewer": decision.reviewer,
            "purpose": "vote",
            "body": body,
            "at": now,
        }
        later(connection, _VOTED, **vote)
        event, values = _consequence(review, decision, ruling, now)
        _change(connection, review, **values)
        told = ruling.outcome or decision
        payload = told.model_dump(mode="json", exclude={"reviewer", "roles", "auth"})
        if told.reviewer != decision.reviewer:
            payload["proposed_by"] = told.reviewer
        self._ledger.append(
            connection,
            event,
            review.subject_id,
            actor=decision.reviewer,
            **payload,
            roles=decision.roles,
            auth=decision.auth,
            approvals=list(ruling.approvers),
        )
        return Review.model_validate({**review.model_dump(), **values, "votes": [*review.votes, decision]})

    def _refuse(self, connection: Connection, review: Review, decision: Decision, error: QAAgentsError) -> None:
        self._ledger.append(
            connection,
            "refused",
            review.subject_id,
            actor=decision.reviewer,
            review_id=review.review_id,
            verdict=decision.verdict,
            digest=decision.digest,
            because=error.message,
        )


def _consequence(review: Review, decision: Decision, ruling: Ruling, now: float) -> tuple[Any, dict[str, Any]]:
    """The ledger event of an answer, and what it changes in the review's row."""
    if ruling.complete and ruling.outcome is not None:
        outcome = ruling.outcome.model_dump(mode="json")
        return "decided", {"state": "decided", "decision": outcome, "decided_at": now}
    if decision.verdict == "defer":
        due = decision.until.timestamp() if decision.until else None
        return "deferred", {"state": "deferred", "decision": decision.model_dump(mode="json"), "due_at": due}
    waits = {"state": "pending", "decision": None, "due_at": None}
    if decision.verdict == "delegate":
        return "delegated", {**waits, "assigned_to": decision.to, "routed_at": now}
    return "voted", {**waits, "assigned_to": None}


def _check_open(review: Review) -> None:
    name = review.review_id
    if review.state == "decided" and review.decision is not None:
        raise ConflictError(
            f"{name} was already decided: {review.decision.verdict} by {review.decision.reviewer}.",
            hint=f"`qa-agents review show {name}` shows it.",
        )
    if review.state == "superseded":
        raise ConflictError(
            f"{name} was replaced because the report or its issue changed.",
            hint=f"`qa-agents review show {review.subject_id}` shows what waits now.",
        )


def _check_digest(review: Review, decision: Decision) -> None:
    """An answer is about the review as it was shown; an approval may be about an edit that somebody made of it."""
    about = {review.digest, *(proposals(review.votes) if decision.verdict == "approve" else ())}
    if decision.digest not in about:
        raise ConflictError(
            f"The decision is about something else than what {review.review_id} shows now.",
            hint="Look again, then decide.",
        )


def _refusal_of(review: Review, ruling: Ruling) -> QAAgentsError:
    if ruling.expired:
        hint = f"Hand {review.subject_id} in again to see it as it is now; rejecting is still possible."
        return ConflictError(f"{review.review_id} has expired. {ruling.reason}", hint=hint)
    return NotAllowedError(f"{review.review_id}: {ruling.reason}", hint="`qa-agents policy show` says who may decide.")


def _change(connection: Connection, review: Review, **values: Any) -> None:
    later(connection, _CHANGED, the_review=review.review_id, **values)


def _records(connection: Connection, query: Select[Any]) -> list[Record]:
    return [dict(row) for row in connection.execute(query).mappings()]


def _reviews(connection: Connection, rows: Iterable[Record]) -> list[Review]:
    """Rows as reviews, each with its votes."""
    found = list(rows)
    votes: dict[str, list[Decision]] = {row["review_id"]: [] for row in found}
    names = list(votes)
    for start in range(0, len(names), 500):
        query = (
            select(decisions.c.review_id, decisions.c.body)
            .where(decisions.c.purpose == "vote", decisions.c.review_id.in_(names[start : start + 500]))
            .order_by(decisions.c.pk)
        )
        for row in connection.execute(query):
            votes[row.review_id].append(Decision.model_validate(row.body))
    return [Review.model_validate({**row, "votes": votes[row["review_id"]]}) for row in found]
