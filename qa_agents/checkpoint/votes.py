"""What a review requires, whether a person may give this answer, and whether the answers are enough: pure functions."""

from collections.abc import Sequence
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from qa_agents.checkpoint.hours import active_hours, is_quiet
from qa_agents.checkpoint.policy import Policy, Reviewer, Rule, When
from qa_agents.checkpoint.schema import Decision, Form, Requirements, Review
from qa_agents.storage.canonical import digest_of

COUNTED = ("approve", "edit", "ask_reporter", "sign", "answer")
"""Verdicts that something happens by: they need the quorum. A rejection ends the review; the others only move it."""
BALLOT_SHOWN = 8
"""So many characters of a ballot name it."""
NO_RULE = Requirements().rule
_HOUR = 3600


class Ruling(BaseModel):
    """What a decision is worth: whether it may be made, whether it counts, whether it completes the review."""

    model_config = ConfigDict(frozen=True)

    allowed: bool
    counted: bool = False
    complete: bool = False
    reason: str = ""
    """One sentence: why it is refused, why it does not count, or what is still missing."""
    repeated: bool = False
    """The same person said exactly the same before."""
    expired: bool = False
    outcome: Decision | None = None
    """When complete: what the graph goes on with. For an approved edit that is the edit, in its author's words."""
    approvers: tuple[str, ...] = ()
    """Whose approval of this very thing counts, this one included."""


class Support(BaseModel):
    """How far one thing has come that people answered."""

    model_config = ConfigDict(frozen=True)

    approvers: tuple[str, ...] = ()
    """Whose approval of exactly this counts now."""
    needed: int
    author: str | None = None
    """Who put it forward and does not count among those who approve it; None when everybody counts."""
    able: tuple[str, ...] = ()
    """Listed people whose approval could still be added; nobody where the policy lists nobody."""

    @property
    def missing(self) -> int:
        """How many approvals it still lacks."""
        return max(0, self.needed - len(self.approvers))


class Reroute(BaseModel):
    """An overdue review, and to whom it goes. Time never approves anything."""

    model_config = ConfigDict(frozen=True)

    review_id: str
    to: str
    stage: Literal["reroute", "escalate"]
    waited_hours: float
    """Outside quiet hours."""


def requirements(policy: Policy, shown: dict[str, Any], form: Form, kind: str) -> Requirements:
    """What the policy's first matching rule demands; without one, a single vote of anybody who may decide at all."""
    rule = next((rule for rule in policy.rule if _matches(rule.when, shown, form, kind)), None)
    common: dict[str, Any] = {"form": form, "proposer": shown.get("proposer"), "policy_sha256": policy.sha256}
    if rule is None:
        return Requirements(**common)
    return Requirements(**common, rule=rule.name, **_demands(rule))


def required_for(policy: Policy, review: Review, decision: Decision) -> Requirements:
    """What is demanded of this decision: an edit that reaches into what a stricter rule guards must meet that rule too."""
    opened = review.requires or requirements(policy, review.shown, review.form, review.kind)
    edits = edits_under(decision, review.votes)
    if not edits:
        return opened
    found = requirements(policy, _with_edits(review.shown, edits), review.form, review.kind)
    edited = found if found.rule != NO_RULE else opened
    return edited.model_copy(
        update={
            "approvals": max(opened.approvals, edited.approvals),
            "proposer_may_approve": opened.proposer_may_approve and edited.proposer_may_approve,
            "proposer": opened.proposer,
            "expires_hours": min((h for h in (opened.expires_hours, edited.expires_hours) if h), default=None),
        }
    )


def may_decide(
    policy: Policy,
    required: Requirements,
    reviewer: Reviewer,
    decision: Decision,
    votes: Sequence[Decision],
    proposer: str | None,
    now: float,
    *,
    assigned_to: str | None = None,
    opened_at: float | None = None,
) -> Ruling:
    """Rule on one decision, given the `votes` before it. Pure; `now` and `opened_at` are seconds since the epoch.

    Approvals count per person and per exactly equal content (`ballot`): approving the original is not approving an edit.
    """
    expired = _is_expired(required, decision, opened_at, now)
    handed_on = _is_handed_on(votes, assigned_to)
    refusal = _refusal(policy, required, reviewer, decision, assigned_to, handed_on=handed_on) or (
        "It was opened too long ago to be approved as it is." if expired else None
    )
    if refusal:
        return Ruling(allowed=False, reason=refusal, expired=expired)
    if decision.verdict == "reject":
        return Ruling(allowed=True, counted=True, complete=True, outcome=decision)
    if decision.verdict not in COUNTED:
        return Ruling(allowed=True)
    about, me = ballot(decision), same_person(reviewer.name)
    authors = _barred(required, about, [*votes, decision], proposer)
    approvers = _approvers(policy, required, about, [*votes, decision], authors)
    enough = len(approvers) >= required.approvals
    if me in authors and not _wrote(decision):
        return Ruling(allowed=False, reason=f"{reviewer.name} proposed this; somebody else must approve it.")
    return Ruling(
        allowed=True,
        counted=me not in authors,
        complete=enough,
        reason="" if enough else f"{len(approvers)} of {required.approvals} approvals",
        repeated=any(same_person(v.reviewer) == me and ballot(v) == about for v in _standing(votes).values()),
        outcome=_outcome(decision, votes) if enough else None,
        approvers=tuple(approvers),
    )


def ballot(decision: Decision) -> str:
    """Digest of exactly what a counted decision would bring about; equal ballots are approvals of one another."""
    if decision.verdict == "approve":
        return decision.digest
    content = {"edits", "questions", "waivers", "answers", "unblocks"}
    return digest_of(decision.model_dump(mode="json", include={"digest", "verdict", *content}))


def proposals(votes: Sequence[Decision]) -> dict[str, Decision]:
    """What people put in place of the original and can be approved: ballot to the decision that first proposed it."""
    found: dict[str, Decision] = {}
    for vote in votes:
        if vote.verdict in ("edit", "ask_reporter"):
            found.setdefault(ballot(vote), vote)
    return found


def edits_under(decision: Decision, votes: Sequence[Decision]) -> dict[str, str]:
    """Field to value, as far as this decision departs from the original: by its own edits or those it approves."""
    proposed = proposals(votes).get(decision.digest) if decision.verdict == "approve" else None
    return (proposed or decision).edits


def put_forward(votes: Sequence[Decision], who: str) -> Decision | None:
    """What a person last put forward and others can agree with as it is: an edit, questions, waivers, answers.

    `who` is the person's name, or the first BALLOT_SHOWN characters (or more) of the ballot.
    """
    own = [vote for vote in reversed(votes) if has_content(vote)]
    by_ballot = (vote for vote in own if len(who) >= BALLOT_SHOWN and ballot(vote).startswith(who))
    by_name = (vote for vote in own if same_person(vote.reviewer) == same_person(who))
    return next(by_ballot, None) or next(by_name, None)


def has_content(vote: Decision) -> bool:
    """Whether others need more than its verdict to say the same."""
    return _wrote(vote) or bool(vote.answers)


def support(policy: Policy, review: Review, vote: Decision) -> Support:
    """How far what this vote is about has come, and who could bring it further."""
    required, about = required_for(policy, review, vote), ballot(vote)
    barred = _barred(required, about, review.votes, required.proposer)
    approvers = _approvers(policy, required, about, review.votes, barred)
    author = next((v.reviewer for v in review.votes if ballot(v) == about and same_person(v.reviewer) in barred), None)
    able = [
        name
        for name, listed in policy.reviewers.items()
        if name not in approvers
        and same_person(name) not in barred
        and (_is_entitled(required, name, {*listed.roles}) or review.assigned_to in (name, *listed.roles))
    ]
    return Support(approvers=tuple(approvers), needed=required.approvals, author=author, able=tuple(able))


def progress(policy: Policy, review: Review) -> tuple[int, int]:
    """(approvals, needed) of what has come furthest among the things voted on."""
    best = 0, (review.requires or requirements(policy, review.shown, review.form, review.kind)).approvals
    for vote in _standing(review.votes).values():
        backed = support(policy, review, vote)
        best = max(best, (len(backed.approvers), backed.needed))
    return best


def overdue(policy: Policy, review: Review, now: float) -> Reroute | None:
    """Where a review goes that nobody decided in time: first to `reroute_to`, then to `escalate`, then nowhere."""
    required, left = review.requires, hours_left(policy, review, now)
    if required is None or left is None or left > 0 or is_quiet(policy.quiet_hours, now):
        return None
    waited = (required.sla_hours or 0.0) - left
    routed = {required.reroute_to, required.escalate} - {None}
    if required.reroute_to and review.assigned_to not in routed:
        return Reroute(review_id=review.review_id, to=required.reroute_to, stage="reroute", waited_hours=waited)
    if required.escalate and review.assigned_to != required.escalate:
        return Reroute(review_id=review.review_id, to=required.escalate, stage="escalate", waited_hours=waited)
    return None


def hours_left(policy: Policy, review: Review, now: float) -> float | None:
    """Hours until the review is overdue, negative afterwards; None without a deadline. Quiet hours and deferral do not count."""
    if review.requires is None or review.requires.sla_hours is None or not review.waits:
        return None
    since = max(review.opened_at, review.routed_at or 0.0, (review.state == "deferred" and review.due_at) or 0.0)
    return review.requires.sla_hours - active_hours(policy.quiet_hours, since, now)


def same_person(name: str) -> str:
    """One key per person, however the name is written."""
    return name.strip().casefold()


def _matches(when: When, shown: dict[str, Any], form: Form, kind: str) -> bool:
    """Whether everything a rule asks for is there."""
    spoke = set(shown.get("rules", ()))
    written = {
        action["params"].get("field") for action in shown.get("actions", ()) if action.get("kind") == "set_field"
    }
    return all(
        (
            not when.form or form in when.form,
            not when.kind or kind in when.kind,
            not when.gate or shown.get("gate") in when.gate,
            not when.rules or not spoke.isdisjoint(when.rules),
            not when.fields or not written.isdisjoint(when.fields),
            when.top_severity is None or when.top_severity == ("top-severity" in spoke),
        )
    )


def _demands(rule: Rule) -> dict[str, Any]:
    return rule.model_dump(exclude={"name", "when"})


def _with_edits(shown: dict[str, Any], edits: dict[str, str]) -> dict[str, Any]:
    """What would be shown for the edited actions. Which severities are highest is unknown here, so each may be."""
    actions = [{"kind": "set_field", "params": {"field": name, "value": value}} for name, value in edits.items()]
    rules = [*shown.get("rules", ()), *(["top-severity"] if "severity" in edits else [])]
    return {**shown, "actions": [*shown.get("actions", ()), *actions], "rules": rules}


def _refusal(
    policy: Policy,
    required: Requirements,
    reviewer: Reviewer,
    decision: Decision,
    assigned_to: str | None,
    *,
    handed_on: bool,
) -> str | None:
    """Why this person may not answer here, or None. `handed_on`: a person assigned it, not a deadline."""
    name, roles = reviewer.name, set(reviewer.roles)
    if same_person(name) != same_person(decision.reviewer):
        return f"{name} cannot decide in the name of {decision.reviewer}."
    if policy.reviewers and (reviewer.auth == "unverified" or name not in policy.reviewers):
        return f"{name} was not recognised as one of the policy's reviewers."
    by_rule = _is_entitled(required, name, roles)
    is_assignee = assigned_to is not None and (name == assigned_to or assigned_to in roles)
    routed_by_rule = assigned_to is not None and assigned_to in (required.reroute_to, required.escalate)
    if routed_by_rule and (is_assignee or (by_rule and not handed_on)):
        return None
    if assigned_to is not None and not is_assignee:
        return f"It is assigned to {assigned_to}."
    if not by_rule:
        who = ", ".join([*required.roles, *required.of])
        return f"{name} may not decide this: the policy's rule “{required.rule}” leaves it to {who}."
    return None


def _is_entitled(required: Requirements, name: str, roles: set[str]) -> bool:
    return not (required.roles or required.of) or name in required.of or not roles.isdisjoint(required.roles)


def _is_expired(required: Requirements, decision: Decision, opened_at: float | None, now: float) -> bool:
    if required.expires_hours is None or opened_at is None or decision.verdict not in COUNTED:
        return False
    return now - opened_at > required.expires_hours * _HOUR


def _is_handed_on(votes: Sequence[Decision], assigned_to: str | None) -> bool:
    """Whether a person gave it to who has it now; a deadline that re-routes leaves it open to all who might decide before."""
    last = next((vote for vote in reversed(votes) if vote.verdict != "defer"), None)
    return last is not None and last.verdict == "delegate" and last.to == assigned_to


def _barred(required: Requirements, about: str, votes: Sequence[Decision], proposer: str | None) -> set[str]:
    """Who does not count among those who approve this ballot."""
    return set() if required.proposer_may_approve else _authors(about, votes, proposer)


def _authors(about: str, votes: Sequence[Decision], proposer: str | None) -> set[str]:
    """Who proposed what this ballot is about: who is named as proposer of the original, and who first made the edit."""
    authors = {same_person(proposer)} if proposer else set()
    for vote in votes:
        if _wrote(vote) and ballot(vote) == about:
            return authors | {same_person(vote.reviewer)}
    return authors


def _wrote(vote: Decision) -> bool:
    """Whether the vote changes what was shown by something of the person's own, which others must then approve."""
    return vote.verdict == "edit" or bool(vote.questions or vote.waivers)


def _standing(votes: Sequence[Decision]) -> dict[str, Decision]:
    """The latest counted vote of each person."""
    return {same_person(vote.reviewer): vote for vote in votes if vote.verdict in COUNTED}


def _approvers(
    policy: Policy, required: Requirements, about: str, votes: Sequence[Decision], authors: set[str]
) -> list[str]:
    """Who stands behind this ballot now and counts. A listed person has the roles of today's policy."""
    found = []
    for person, vote in _standing(votes).items():
        if ballot(vote) != about or person in authors:
            continue
        if policy.reviewers and vote.reviewer not in policy.reviewers:
            continue
        roles = set(policy.roles_of(vote.reviewer)) if policy.reviewers else set(vote.roles)
        routed = {required.reroute_to, required.escalate} & {vote.reviewer, *roles}
        if routed or _is_entitled(required, vote.reviewer, roles):
            found.append(vote.reviewer)
    return found


def _outcome(decision: Decision, votes: Sequence[Decision]) -> Decision:
    about = ballot(decision)
    return next((vote for vote in votes if vote.verdict != "approve" and ballot(vote) == about), decision)
