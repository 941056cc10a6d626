"""What the review page shows of a verdict: plain values for the template, quotes marked where they stand in the report. Pure."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from qa_agents.checkpoint.markup import Markup, Writer
from qa_agents.trackers.schema import describe
from qa_agents.triage.schema import FIELDS, Fact, Proposal, Triage

SHOWN_INCIDENTS, SHOWN_FACTS = 5, 12


def verdict_view(triage: Triage, description: str, mask: Callable[[str], str]) -> dict[str, Any]:
    """The verdict in the order a person should read it: evidence first, then what is proposed, then why it stopped."""
    write = Writer(mask)
    return {
        "summary": write.text(triage.summary),
        "description": marked(description, [f for f in triage.facts if f.field == "description"], write),
        "facts": [
            {"name": fact.name.replace("_", " "), "value": write.text(fact.value), "quote": write.text(fact.quote)}
            for fact in triage.facts[:SHOWN_FACTS]
        ],
        "more_facts": max(0, len(triage.facts) - SHOWN_FACTS),
        "hidden": [write.text(text) for text in triage.signals.hidden[:10]],
        "injection": [write.text(fact.quote) for fact in triage.signals.injection[:5]],
        "incidents": [
            {
                "id": write.text(one.incident_id),
                "summary": write.text(one.summary),
                "kind": one.kind,
                "state": write.text(one.state),
                "same": [write.text(text) for text in one.same],
                "differs": [write.text(text) for text in [*one.differs, *([one.vetoed_by] if one.vetoed_by else [])]],
            }
            for one in triage.relations[:SHOWN_INCIDENTS]
        ],
        "proposals": [_proposal(name, triage.proposals.get(name, Proposal()), write) for name in FIELDS],
        "hypothesis": write.text(triage.hypothesis.text) if triage.hypothesis else None,
        "questions": [write.text(text) for text in triage.missing],
        "writes": [write.text(describe(action)) for action in triage.actions],
        "reasons": [_reason(reason, write) for reason in triage.gate.reasons],
        "gate": triage.gate.decision,
    }


def marked(text: str, facts: Iterable[Fact], write: Writer) -> Markup:
    """The text with every quoted stretch marked; of two that overlap, the first."""
    parts: list[str] = []
    at = 0
    for fact in sorted(facts, key=lambda one: (one.start, -one.end)):
        if fact.start < at or fact.end > len(text) or fact.end <= fact.start:
            continue
        parts.append(write.text(text[at : fact.start]))
        parts.append(f"<mark>{write.text(text[fact.start : fact.end])}</mark>")
        at = fact.end
    parts.append(write.text(text[at:]))
    return Markup("".join(parts))


def shown_view(shown: dict[str, Any], mask: Callable[[str], str]) -> dict[str, Any]:
    """What a sign-off or a question shows, as inert text."""
    write = Writer(mask)
    return {
        "questions": [
            {
                "id": str(one["id"]),
                "text": write.text(one.get("text", "")),
                "options": [write.text(text) for text in one.get("options", ())],
                "assumed": write.text(one.get("assumed", "")),
                "blocks": len(one.get("blocks", ())),
            }
            for one in _dicts(shown.get("questions"))
        ],
        "counts": {str(name): value for name, value in (shown.get("counts") or {}).items()},
        "coverage": {str(name).replace("_", " "): str(value) for name, value in (shown.get("coverage") or {}).items()},
        "risks": [
            {"level": one.get("level"), "reasons": [write.text(text) for text in one.get("reasons", ())]}
            for one in _dicts(shown.get("risks"))
        ],
        "assumptions": [
            {"text": write.text(one.get("text", "")), "assumed": write.text(one.get("assumed", ""))}
            for one in _dicts(shown.get("assumptions"))
        ],
        "gaps": [
            write.text(f"{one.get('kind')} {one.get('ref')}: {one.get('why')}") for one in _dicts(shown.get("gaps"))
        ],
        "unread": [write.text(text) for text in shown.get("unread") or ()],
        "sign_offs": [
            write.text(f"{one.get('role')}: {one.get('why')} ({one.get('standard')})")
            for one in _dicts(shown.get("sign_offs"))
        ],
    }


def _dicts(value: Any) -> Sequence[dict[str, Any]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _proposal(name: str, proposal: Proposal, write: Writer) -> dict[str, Any]:
    speaking = proposal.evidence if proposal.value else proposal.against or proposal.evidence
    return {
        "field": name,
        "value": write.text(proposal.value) if proposal.value else None,
        "raw": proposal.value or "",
        "alternatives": [write.text(one.value) for one in proposal.alternatives[:4]],
        "evidence": [write.text(one.text) for one in speaking[:4]],
        "against": [write.text(one.text) for one in proposal.against[:3]] if proposal.value else [],
        "kept": f"kept in {proposal.kept} of {proposal.cases} like cases" if proposal.cases else "",
    }


def _reason(reason: str, write: Writer) -> dict[str, Markup]:
    rule, _, sentence = reason.partition(": ")
    return {"rule": write.text(rule), "sentence": write.text(sentence or rule)}
