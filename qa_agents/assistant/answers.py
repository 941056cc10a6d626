"""Replies about a verdict: what it is, and why. Pure; nothing is escaped."""

from qa_agents.assistant.cards import SHOWN, shown
from qa_agents.assistant.schema import Aspect, Point, Reply
from qa_agents.checkpoint.schema import Review
from qa_agents.operations.handling import Explanation, Handled
from qa_agents.triage.hypothesis import in_brief
from qa_agents.triage.schema import FIELDS, FieldName, Proposal, Relation, Triage

_ASPECT_FIELDS: dict[Aspect, FieldName] = {
    "severity": "severity", "priority": "priority", "component": "component", "type": "type", "assignee": "assignee"
}  # fmt: skip


def triaged(handled: Handled, review: Review | None) -> Reply:
    """What a triage came to."""
    account, triage = handled.account, handled.triage
    if triage is None:
        return Reply(text=f"I could not triage {account.report_id}: {account.error}", notes=handled.notes, ok=False)
    before = "" if account.fresh else "I had this one before. "
    return Reply(
        text=f"{before}{triage.report_id}: {verdict_line(triage)} {state_line(triage)}",
        points=[
            *_relations(triage)[:2],
            *_hypothesis(triage),
            *(Point(text=f"To ask: {text}") for text in triage.missing[:2]),
        ],
        review=shown(review, triage.gate.reasons) if review is not None and triage.review_id else None,
        next=_after(triage),
        notes=handled.notes,
    )


def verdict_line(triage: Triage) -> str:
    """The proposals in one sentence."""
    proposals = triage.proposals
    said = {name: (proposals.get(name) or Proposal()).value for name in FIELDS}
    severity = said["severity"] or "severity undetermined"
    where = f" in {said['component']}" if said["component"] else ", component undetermined"
    rest = [value for value in (said["type"], said["priority"]) if value]
    who = f", for {said['assignee']}" if said["assignee"] else ""
    kinds = f" ({', '.join(rest)})" if rest else ""
    return f"{severity}{where}{kinds}{who}".rstrip(".") + "."


def state_line(triage: Triage) -> str:
    """Where the verdict stands, in one sentence."""
    if triage.review_id:
        return f"It stops for a person as {triage.review_id}; nothing is written yet."
    return {"decided": "It is settled.", "asked": "The reporter was asked."}.get(triage.state, f"It is {triage.state}.")


def explained(explanation: Explanation, aspect: Aspect | None, value: str) -> Reply:
    """Why a verdict came out so: the one thing asked about where the question names one, else the whole in short."""
    triage = explanation.triage
    field = field_of(triage, aspect, value)
    if field is not None:
        return _why_field(triage, field, value)
    if aspect == "relation":
        points = [
            *_relations(triage),
            *(Point(text=text) for text in explanation.why_not if "duplicate" in text or "not taken" in text),
        ]
        first = triage.relations[0] if triage.relations else None
        text = (
            f"{triage.report_id} looks like {first.kind} {first.incident_id}."
            if first
            else f"Nothing relates to {triage.report_id} closely enough."
        )
        return Reply(text=text, points=points[:SHOWN], next=_after(triage))
    if aspect == "gate":
        text = (
            f"{triage.report_id} went through alone."
            if triage.gate.decision == "auto"
            else f"{triage.report_id} stops for a person ({triage.gate.decision})."
        )
        return Reply(text=text, points=_reasons(triage), next=_after(triage))
    if aspect == "cause":
        return _why_cause(triage)
    points = [_field_point(name, triage.proposals[name]) for name in FIELDS if name in triage.proposals]
    return Reply(
        text=f"{triage.report_id}: {verdict_line(triage)} {state_line(triage)}",
        points=[*points, *_relations(triage)[:2], *_hypothesis(triage), *_reasons(triage)[:3]],
        next=_after(triage),
    )


def field_of(triage: Triage, aspect: Aspect | None, value: str) -> FieldName | None:
    """The field a question is about: by a value that was proposed or considered, else by its name."""
    wanted = value.casefold().strip(" ?.!")
    for whole in (True, False):
        for name, proposal in triage.proposals.items():
            values = [proposal.value or "", *(one.value for one in proposal.alternatives)]
            for one in values:
                word = one.casefold()
                if (
                    wanted
                    and word
                    and (word == wanted if whole else word in wanted.split() or word.split(".")[0].split()[0] == wanted)
                ):
                    return name
    return _ASPECT_FIELDS.get(aspect) if aspect else None


def related(triage: Triage) -> str | None:
    """What a verdict says about the past in one sentence; None where it claims no more than the same area."""
    first = next((one for one in triage.relations if one.kind != "same-area"), None)
    if first is None:
        return None
    same = f", for both have {', '.join(first.same[:2])}" if first.same else ""
    return f"I think so: {triage.report_id} looks like {first.kind} {first.incident_id}{same}."


def _why_field(triage: Triage, field: FieldName, value: str) -> Reply:
    proposal = triage.proposals.get(field) or Proposal()
    points = [Point(text=one.text, ref=one.ref) for one in proposal.evidence]
    points += [Point(text=f"against: {one.text}", ref=one.ref) for one in proposal.against]
    if proposal.value is None:
        return Reply(text=f"I did not propose a {field} for {triage.report_id}.", points=points[:SHOWN])
    wanted = value.casefold().strip(" ?.!")
    others = [one.value for one in proposal.alternatives]
    asked_other = next((one for one in others if one.casefold() == wanted), None)
    text = f"{field} {proposal.value} for {triage.report_id}"
    text += (
        f", rather than {asked_other}."
        if asked_other
        else (f"; considered too: {', '.join(others[:3])}." if others else ".")
    )
    if proposal.kept is not None and proposal.cases:
        points.append(Point(text=f"right in {proposal.kept} of {proposal.cases} past cases with a vote this strong"))
    notes = [] if points else ["Nothing more than the neighbours' vote supports it."]
    return Reply(text=text, points=points[: SHOWN + 1], notes=notes, next=_after(triage))


def _why_cause(triage: Triage) -> Reply:
    if triage.hypothesis is None:
        return Reply(
            text=f"I have no hypothesis for {triage.report_id}: no resolved incident supports one.", next=_after(triage)
        )
    points = [Point(text=one.text, ref=one.ref) for one in triage.hypothesis.evidence]
    return Reply(text=triage.hypothesis.text, points=points[:SHOWN], next=_after(triage))


def _relations(triage: Triage) -> list[Point]:
    return [Point(text=_relation_line(relation), ref=relation.incident_id) for relation in triage.relations[:SHOWN]]


def _relation_line(relation: Relation) -> str:
    same = f"; same: {', '.join(relation.same[:3])}" if relation.same else ""
    differs = f"; differs: {', '.join(relation.differs[:2])}" if relation.differs else ""
    return f"{relation.kind} {relation.incident_id} ({relation.state or 'open'}) {relation.summary}{same}{differs}"


def _hypothesis(triage: Triage) -> list[Point]:
    if triage.hypothesis is None:
        return []
    refs = ", ".join(dict.fromkeys(one.ref for one in triage.hypothesis.evidence if one.kind == "incident"))
    return [Point(text=in_brief(triage.hypothesis), ref=refs)]


def _reasons(triage: Triage) -> list[Point]:
    pairs = (reason.partition(": ") for reason in triage.gate.reasons)
    return [Point(text=sentence or rule, ref=rule if sentence else "") for rule, _, sentence in pairs]


def _field_point(name: str, proposal: Proposal) -> Point:
    if proposal.value is None:
        return Point(text=f"{name}: undetermined")
    first = sorted(proposal.evidence, key=lambda one: one.kind not in ("rate", "rule"))[:1]
    return Point(
        text=f"{name} {proposal.value}" + "".join(f": {one.text}" for one in first), ref=first[0].ref if first else ""
    )


def _after(triage: Triage) -> list[str]:
    severity = (triage.proposals.get("severity") or Proposal()).value
    said = [f"why {severity}?"] if severity else []
    if triage.relations:
        said.append(f"show {triage.relations[0].incident_id}")
    return [*(["approve"] if triage.review_id else []), *said]
