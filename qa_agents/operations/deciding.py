"""What waits at the checkpoint, and a person's answer to it, whose name is recognised first."""

import time
from datetime import datetime
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, Field, SecretStr, ValidationError

from qa_agents.checkpoint.agent_inbox import from_agent_inbox
from qa_agents.checkpoint.answers import unblocked
from qa_agents.checkpoint.identity import os_login
from qa_agents.checkpoint.policy import Reviewer, authenticate
from qa_agents.checkpoint.schema import Decision, Review
from qa_agents.checkpoint.votes import (
    COUNTED,
    Support,
    ballot,
    hours_left,
    progress,
    put_forward,
    support,
)
from qa_agents.errors import ConflictError, InvalidInputError, NotAllowedError, NotFoundError, UsageError
from qa_agents.operations.handling import in_words, verdict_of
from qa_agents.triage.schema import Triage

if TYPE_CHECKING:
    from qa_agents.wiring import Workspace

SECONDED = {"edit": "approve", "ask_reporter": "approve", "sign": "sign", "answer": "answer"}
"""What a person put forward, and the verdict by which others agree with exactly that."""


class Waiting(BaseModel):
    """One review that waits, and how far it has come."""

    review: Review
    approvals: int
    needed: int
    hours_left: float | None
    """Until it is overdue; negative afterwards, None without a deadline."""

    def as_json(self) -> dict[str, Any]:
        """The review with `approvals`, `needed` and `hours_left` beside its own fields."""
        return {**self.review.model_dump(mode="json"), **self.model_dump(mode="json", exclude={"review"})}


class Decided(BaseModel):
    """What an answer led to."""

    review_id: str
    report_id: str
    verdict: str
    state: str
    written: list[str] = Field(default_factory=list)
    failed: list[str] = Field(default_factory=list)
    kind: str = "triage"
    """Which graph had asked."""
    review_waiting: str | None = None
    """The new review: the next question of a plan; for a report, because the issue had changed since it was shown."""
    reviewer: str = ""
    """Who answered, as recognised."""
    settled: bool = True
    """Whether the review is decided now; False while it waits on, for others or for another day."""
    approvals: int = 0
    needed: int = 1
    """Approvals so far of exactly what was answered, and how many it takes."""
    missing: str = ""
    """What is still missing before it is settled, and who can give it; one sentence."""
    assigned_to: str | None = None
    until: datetime | None = None
    """When a deferred review comes back."""
    canary: str | None = None
    """For a canary, once it is decided: that it was one, and what was wrong."""


def waiting(workspace: "Workspace", *, include_deferred: bool = False) -> list[Waiting]:
    """What waits for a person, oldest first; what is overdue is re-routed on the way."""
    workspace.inbox.route_overdue()
    policy, now = workspace.inbox.policy, time.time()
    found = []
    for review in workspace.inbox.waiting(include_deferred=include_deferred):
        approvals, needed = progress(policy, review)
        left = hours_left(policy, review, now)
        found.append(Waiting(review=review, approvals=approvals, needed=needed, hours_left=left))
    return found


def reviewed(workspace: "Workspace", name: str) -> tuple[Review, Triage]:
    """A review with the verdict it shows. `name` is a review id or a report id."""
    review = workspace.inbox.find(name)
    return review, verdict_of(workspace, review.run_id)


def decide(
    workspace: "Workspace",
    name: str,
    *,
    reviewer: str | None,
    token: SecretStr | None = None,
    proposed_by: str | None = None,
    recognised: Reviewer | None = None,
    **answer: Any,
) -> Decided:
    """Answer a review as an authenticated person; once the answers are enough, carry them out.

    `proposed_by` names a person (or a ballot, see `votes.put_forward`) to agree with exactly what was put forward there: an edit
    or questions (approve), waivers (sign), answers (answer). `recognised` is who was authenticated already. A report's id names
    its review as long as it has one only.
    Raises ConflictError when it cannot be taken any more, NotAllowedError when it is not this person's to decide.
    """
    review = _meant(workspace, name)
    by = recognised or recognise(workspace, reviewer, token)
    if proposed_by:
        answer |= _backing(review, proposed_by, str(answer.get("verdict")))
    if answer.get("verdict") == "answer":
        answer.setdefault("unblocks", unblocked(review.shown, answer.get("answers", {})))
    if answer.get("verdict") == "sign":
        answer["accountable"] = answer.get("accountable") or by.name
    about = {"review_id": review.review_id, "reviewer": by.name, "digest": review.digest}
    try:
        decision = Decision.model_validate({**about, **answer})
    except ValidationError as error:
        said = error.errors()[0]
        where = ".".join(map(str, said["loc"]))
        message = said["msg"].removeprefix("Value error, ")
        reasons = ", ".join(workspace.inbox.policy.all_reason_codes)
        raise InvalidInputError(
            f"This decision is not complete: {f'{where}: ' if where else ''}{message}.",
            hint=f"Reasons are {reasons}." if "reason" in message else "`qa-agents review --help` shows the options.",
        ) from None
    return _carry_out(workspace, review, decision, by)


def respond(
    workspace: "Workspace", name: str, answer: object, *, reviewer: str | None, token: SecretStr | None = None
) -> Decided:
    """Answer a review as `decide` does, with an answer in the Agent Inbox shape. Raises InvalidInputError for any other."""
    review = _meant(workspace, name)
    by = recognise(workspace, reviewer, token)
    return _carry_out(workspace, review, from_agent_inbox(answer, review, by.name), by)


def _carry_out(workspace: "Workspace", review: Review, decision: Decision, by: Reviewer) -> Decided:
    if decision.verdict == "ask_reporter" and not workspace.policy.gate.may_ask:
        raise NotAllowedError(
            "By policy no question reaches the reporter: it would be written nowhere.",
            hint="Open `question` under [gate.actions] in the policy, or defer the review and ask by hand.",
        )
    outcome, canaries = None, workspace.canaries
    if canaries.holds(review.review_id):
        outcome = canaries.decide(decision, by)
        decided = workspace.inbox.find(review.review_id)
    else:
        decided = workspace.desk.decide(decision, by)
    settled, counted = decided.state == "decided", decision.verdict in COUNTED
    backed = support(workspace.inbox.policy, decided, decision) if counted else None
    approvals, needed = (len(backed.approvers), backed.needed) if backed else progress(workspace.inbox.policy, decided)
    actions = workspace.outbox.of_run(review.run_id)
    waiting = workspace.inbox.of_run(review.run_id)
    account = workspace.received.find(review.subject_id)
    return Decided(
        review_id=review.review_id,
        report_id=review.subject_id,
        verdict=decision.verdict,
        state=account.state if account else canaries.report_state(review.run_id) or "decided",
        written=[in_words(action) for action in actions if action["state"] == "done"],
        failed=[f"{in_words(action)}: {action['error']}" for action in actions if action["state"] == "failed"],
        kind=review.kind,
        review_waiting=waiting.review_id if waiting and waiting.review_id != review.review_id else None,
        reviewer=by.name,
        settled=settled,
        approvals=approvals,
        needed=needed,
        missing=still_missing(backed) if backed and not settled else "",
        assigned_to=decided.assigned_to,
        until=decision.until,
        canary=str(outcome) if outcome else None,
    )


def still_missing(backed: Support) -> str:
    """What is missing before this is settled, and who can give it: `1 of 2 approvals; it waits for linus or grace.`"""
    told = f"{len(backed.approvers)} of {backed.needed} approvals"
    if backed.author:
        told += f" ({backed.author} put it forward and is not among those who approve it)"
    *others, last = backed.able or ("another person",)
    who = f"{', '.join(others)} or {last}" if others else last
    if len(backed.able) < backed.missing and backed.able:
        return f"{told}; only {who} could add one, so it cannot be settled like this."
    two = f"{backed.missing} of " if backed.missing > 1 else ""
    return f"{told}; it waits for {two}{who}."


def recognise(workspace: "Workspace", claimed: str | None, token: SecretStr | None = None) -> Reviewer:
    """Who is answering, by the policy's list. Raises NotAllowedError for somebody who is not on it or cannot be recognised."""
    policy = workspace.inbox.policy
    name = claimed or workspace.settings.reviewer
    if not policy.reviewers:
        name = name or workspace.settings.default_reviewer
    return authenticate(policy, name, login=os_login(), token=token.get_secret_value() if token else None)


def _meant(workspace: "Workspace", name: str) -> Review:
    """The review that is answered. By a report's id only while it has one review: a later one shows something else."""
    review = workspace.inbox.find(name)
    if name == review.review_id:
        return review
    if workspace.inbox.times_shown(review.subject_id) > 1:
        raise ConflictError(
            f"{name} was shown more than once, and what waits now differs from what was shown before.",
            hint=f"Look again (`qa-agents review show {review.review_id}`), then answer {review.review_id}.",
        )
    return review


def _backing(review: Review, who: str, verdict: str) -> dict[str, Any]:
    """What makes an answer an approval of exactly what was put forward, by this person or under this ballot."""
    theirs = put_forward(review.votes, who)
    if theirs is None:
        raise NotFoundError(
            f"{who} proposed nothing else for {review.review_id}.",
            hint=f"`qa-agents review show {review.review_id}` shows who proposed what.",
        )
    if SECONDED.get(theirs.verdict) != verdict:
        raise UsageError(
            f"{theirs.reviewer} put forward {theirs.verdict}, which {verdict} cannot agree with.",
            hint=f"`qa-agents review show {review.review_id}` shows the command.",
        )
    if verdict == "approve":
        return {"digest": ballot(theirs)}
    return theirs.model_dump(include={"waivers", "answers", "unblocks"})
