"""What would be written: actions planned from the verdict, and what a decision makes of them."""

from collections.abc import Collection, Iterator, Sequence

from qa_agents.checkpoint.gate_policy import GatePolicy
from qa_agents.checkpoint.schema import Decision
from qa_agents.incidents.schema import Report
from qa_agents.llm.redact import mask
from qa_agents.trackers.schema import Action
from qa_agents.triage.challenges import plan_challenges
from qa_agents.triage.hypothesis import in_brief
from qa_agents.triage.schema import FIELDS, Hypothesis, Proposal, Relation

MAX_DESCRIPTION_CHARS = 4_000
LINK_NAMES = {
    "duplicate-of-open": "duplicates",
    "regression-of-fixed": "regression of",
    "already-fixed": "fixed by",
}
"""How a relation is written into the tracker; `same-area` is shown and never written."""


def plan_actions(
    report: Report,
    target: str,
    *,
    exists: bool,
    set_by_people: dict[str, str],
    policy: GatePolicy,
    proposals: dict[str, Proposal],
    relations: list[Relation],
    hypothesis: Hypothesis | None,
    challengeable: Collection[str] = (),
) -> list[Action]:
    """The changes that approving would make, in order; what a person set, or the policy keeps in shadow, is left alone.

    `challengeable`: those of `set_by_people` that the tracker knows to be a person's and not doubted yet.
    """
    planned = [] if exists else [_create(report, target)]
    planned += _fields(target, proposals, set_by_people)
    planned += [
        Action(
            kind="link_issue",
            target=target,
            params={"to": relation.incident_id, "relation": LINK_NAMES[relation.kind]},
            because=f"{relation.kind} {relation.incident_id}",
        )
        for relation in relations[:1]
        if relation.kind in LINK_NAMES
    ]
    if relations or hypothesis:
        text = _comment(relations, hypothesis)
        params = {"text": text, "public": False, "slot": "triage"}
        planned.append(Action(kind="add_comment", target=target, params=params, because="what it rests on"))
    planned += plan_challenges(target, proposals, set_by_people, challengeable, policy)
    return out_of_shadow(planned, policy, exists=exists)


def out_of_shadow(actions: Sequence[Action], policy: GatePolicy, *, exists: bool) -> list[Action]:
    """Those that the policy lets be written at all; none about an issue that is not there and will not be."""
    written = [action for action in actions if policy.mode_of(action.kind, action.params) != "shadow"]
    return written if exists or any(action.kind == "create_issue" for action in written) else []


def settle(decision: Decision, planned: list[Action], questions: list[str], target: str) -> list[Action]:
    """What a decision makes of the planned actions: all, edited ones, none, or only the question to the reporter."""
    if decision.verdict == "approve":
        return planned
    if decision.verdict == "edit":
        return _edited(decision, planned, target)
    if decision.verdict == "ask_reporter":
        text = "\n".join(f"- {question}" for question in decision.questions or questions)
        asking = Action(
            kind="add_comment", target=target, params={"text": text, "public": True}, because="asked by the reviewer"
        )
        return [action for action in planned if action.kind == "create_issue"] + [asking]
    return []


def decided_fields(decision: Decision, planned: list[Action]) -> dict[str, str]:
    """Field values that a person stands behind: the labels that the memory learns from."""
    if decision.verdict not in ("approve", "edit"):
        return {}
    proposed = {action.params["field"]: action.params["value"] for action in planned if action.kind == "set_field"}
    return {**proposed, **decision.edits} if decision.verdict == "edit" else proposed


def _create(report: Report, target: str) -> Action:
    description = mask(report.description[: MAX_DESCRIPTION_CHARS * 2])
    if len(description) > MAX_DESCRIPTION_CHARS:
        description = f"{description[:MAX_DESCRIPTION_CHARS]}\n… (cut; the whole report is kept in the workspace)"
    known = {"product": report.product, "version": report.version, "platform": report.platform}
    fields = {
        "summary": mask(report.summary),
        "description": description,
        "status": "Open",
        **{name: value for name, value in known.items() if value},
    }
    return Action(kind="create_issue", target=target, params={"fields": fields}, because="not in the tracker yet")


def _fields(target: str, proposals: dict[str, Proposal], set_by_people: dict[str, str]) -> Iterator[Action]:
    for name in FIELDS:
        proposal = proposals.get(name)
        if proposal is None or proposal.value is None or name in set_by_people:
            continue
        because = proposal.evidence[0].text if proposal.evidence else ""
        yield Action(kind="set_field", target=target, params={"field": name, "value": proposal.value}, because=because)


def _edited(decision: Decision, planned: list[Action], target: str) -> list[Action]:
    kept = [action for action in planned if _field_of(action) not in decision.edits]
    changed = [
        Action(
            kind="set_field",
            target=target,
            params={"field": name, "value": value, "by": decision.reviewer},
            because=f"set by {decision.reviewer}",
        )
        for name, value in decision.edits.items()
    ]
    return kept + changed


def _field_of(action: Action) -> str | None:
    """The field that an action sets or doubts: a value that the reviewer chose stands in the place of either."""
    about = action.params if action.kind == "set_field" else action.params.get("challenges", {})
    return about.get("field")


def _comment(relations: list[Relation], hypothesis: Hypothesis | None) -> str:
    lines = ["Triage note."]
    for relation in relations[:3]:
        differs = f"; differs: {', '.join(relation.differs)}" if relation.differs else ""
        same = f"same: {', '.join(relation.same)}" if relation.same else "similar text"
        lines.append(f"- {relation.kind} {relation.incident_id} ({relation.state}): {same}{differs}")
    if hypothesis:
        lines.append(in_brief(hypothesis))
    return mask("\n".join(lines))
