"""What waits at the checkpoint, and a person's answer to it, whose name is recognised first."""

import time
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, Field, SecretStr, ValidationError

from qa_agents.checkpoint.answers import unblocked
from qa_agents.checkpoint.identity import os_login
from qa_agents.checkpoint.policy import Reviewer, authenticate
from qa_agents.checkpoint.schema import Decision, Review
from qa_agents.checkpoint.votes import hours_left, progress, proposals, same_person
from qa_agents.errors import InvalidInputError, NotFoundError
from qa_agents.operations.handling import verdict_of
from qa_agents.trackers.schema import Action, describe
from qa_agents.triage.schema import Triage

if TYPE_CHECKING:
    from qa_agents.wiring import Workspace


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
    approvals: int = 0
    needed: int = 1
    """Approvals of one same thing so far, and how many it takes."""
    assigned_to: str | None = None
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

    `proposed_by` approves what that person put in place of the original; `recognised` is who was authenticated already.
    Raises ConflictError when it cannot be taken any more,
    NotAllowedError when it is not this person's to decide.
    """
    review = workspace.inbox.find(name)
    by = recognised or recognise(workspace, reviewer, token)
    if answer.get("verdict") == "answer":
        answer.setdefault("unblocks", unblocked(review.shown, answer.get("answers", {})))
    if answer.get("verdict") == "sign":
        answer["accountable"] = answer.get("accountable") or by.name
    try:
        decision = Decision(
            review_id=review.review_id,
            reviewer=by.name,
            digest=_ballot_of(review, proposed_by) if proposed_by else review.digest,
            **answer,
        )
    except ValidationError as error:
        said = error.errors()[0]
        where = ".".join(map(str, said["loc"]))
        message = said["msg"].removeprefix("Value error, ")
        raise InvalidInputError(
            f"This decision is not complete: {f'{where}: ' if where else ''}{message}.",
            hint="`qa-agents review --help` shows the options.",
        ) from None
    outcome, canaries = None, workspace.canaries
    if canaries.holds(review.review_id):
        outcome = canaries.decide(decision, by)
        decided = workspace.inbox.find(review.review_id)
    else:
        decided = workspace.desk.decide(decision, by)
    approvals, needed = progress(workspace.inbox.policy, decided)
    actions = workspace.outbox.of_run(review.run_id)
    waiting = workspace.inbox.of_run(review.run_id)
    account = workspace.received.find(review.subject_id)
    return Decided(
        review_id=review.review_id,
        report_id=review.subject_id,
        verdict=decision.verdict,
        state=account.state if account else canaries.report_state(review.run_id) or "decided",
        written=[_line(action) for action in actions if action["state"] == "done"],
        failed=[f"{_line(action)}: {action['error']}" for action in actions if action["state"] == "failed"],
        kind=review.kind,
        review_waiting=waiting.review_id if waiting and waiting.review_id != review.review_id else None,
        reviewer=by.name,
        approvals=approvals,
        needed=needed,
        assigned_to=decided.assigned_to,
        canary=str(outcome) if outcome else None,
    )


def recognise(workspace: "Workspace", claimed: str | None, token: SecretStr | None = None) -> Reviewer:
    """Who is answering, by the policy's list. Raises NotAllowedError for somebody who is not on it or cannot be recognised."""
    policy = workspace.inbox.policy
    name = claimed or workspace.settings.reviewer
    if not policy.reviewers:
        name = name or workspace.settings.default_reviewer
    return authenticate(policy, name, login=os_login(), token=token.get_secret_value() if token else None)


def _ballot_of(review: Review, author: str) -> str:
    """The digest of what this person proposed last in place of the original."""
    for ballot, vote in reversed(proposals(review.votes).items()):
        if same_person(vote.reviewer) == same_person(author):
            return ballot
    raise NotFoundError(
        f"{author} proposed nothing else for {review.review_id}.",
        hint=f"`qa-agents review show {review.review_id}` shows who proposed what.",
    )


def _line(action: dict[str, Any]) -> str:
    return describe(Action.model_validate({name: action[name] for name in ("kind", "target", "params")}))
