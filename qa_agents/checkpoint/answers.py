"""Whether an answer fits what was asked: pure checks, apart from who gives it."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from qa_agents.checkpoint.policy import Policy
from qa_agents.checkpoint.schema import VERDICTS, Decision, Form, Requirements, Review
from qa_agents.checkpoint.votes import same_person

_FORMS: dict[Form, str] = {"approval": "an approval", "signoff": "a sign-off", "question": "a question"}


def complaint(policy: Policy, review: Review, required: Requirements, decision: Decision, now: float) -> str | None:
    """The first reason why this decision is no answer to this review, as one sentence; None when it is one."""
    return next(_complaints(policy, review, required, decision, now), None)


def unblocked(shown: dict[str, Any], answers: dict[str, str]) -> list[str]:
    """The items that wait for nothing but these answers, in the order shown.

    `shown["questions"]` is a list of `{id, text, blocks: [item]}`.
    """
    questions = [question for question in shown.get("questions", ()) if isinstance(question, dict)]
    items = dict.fromkeys(item for question in questions for item in question.get("blocks", ()))
    open_ = {item for question in questions if question["id"] not in answers for item in question.get("blocks", ())}
    return [item for item in items if item not in open_]


def _complaints(
    policy: Policy, review: Review, required: Requirements, decision: Decision, now: float
) -> Iterator[str]:
    shown, verdict = review.shown, decision.verdict
    if verdict not in VERDICTS[review.form]:
        yield f"{verdict} is no answer to {_FORMS[review.form]}; possible are {', '.join(VERDICTS[review.form])}."
    if decision.reason_code is not None and decision.reason_code not in policy.all_reason_codes:
        yield f"{decision.reason_code} is no known reason; known are {', '.join(policy.all_reason_codes)}."
    editable = shown.get("editable", ())
    unknown = sorted(set(decision.edits) - set(editable))
    if unknown:
        yield f"{', '.join(unknown)} cannot be edited here; editable are {', '.join(editable) or 'no fields'}."
    if decision.until is not None and decision.until.timestamp() <= now:
        yield f"{decision.until.date()} has begun already; a review is deferred to a later day."
    if decision.to is not None:
        yield from _delegation(policy, required, decision.to)
    if verdict == "sign":
        yield from _waivers(shown, decision, now)
    if verdict == "answer":
        yield from _answers(shown, decision)


def _delegation(policy: Policy, required: Requirements, to: str) -> Iterator[str]:
    """The delegate must be able to decide: delegation hands the work on, not the right to do it."""
    if not required.proposer_may_approve and required.proposer and same_person(to) == same_person(required.proposer):
        yield f"{to} proposed this and cannot decide it."
    if not policy.reviewers or to in (required.reroute_to, required.escalate):
        return
    if not policy.knows(to):
        yield f"{to} is neither a listed reviewer nor a role; known are {', '.join(policy.reviewers)}."
    able = policy.entitled(required.roles, required.of)
    if not any(name == to or to in policy.roles_of(name) for name in able):
        yield f"{to} may not decide this; those who may are {', '.join(able)}."


def _waivers(shown: dict[str, Any], decision: Decision, now: float) -> Iterator[str]:
    waivable = shown.get("waivable")
    for waiver in decision.waivers:
        if waivable is not None and waiver.item not in waivable:
            some = f"{', '.join(waivable[:8])}{', …' if len(waivable) > 8 else ''}"
            yield f"{waiver.item} is nothing that can be waived here; {some or 'nothing'} can be."
        if waiver.expires.timestamp() <= now:
            day = datetime.fromtimestamp(waiver.expires.timestamp(), UTC).date()
            yield f"The waiver of {waiver.item} has expired already ({day})."


def _answers(shown: dict[str, Any], decision: Decision) -> Iterator[str]:
    asked = [question["id"] for question in shown.get("questions", ()) if isinstance(question, dict)]
    unknown = [name for name in decision.answers if name not in asked]
    if unknown:
        yield f"{unknown[0]} was not asked; asked are {', '.join(asked) or 'no questions'}."
    missing = [name for name in asked if name not in decision.answers]
    if missing:
        verb = "has" if len(missing) == 1 else "have"
        yield f"{', '.join(missing)} {verb} no answer; every question needs one before anything goes on."
    foreign = sorted(set(decision.unblocks) - set(unblocked(shown, decision.answers)))
    if foreign:
        yield f"{foreign[0]} does not wait for these answers."
