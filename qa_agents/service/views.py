"""What the review page shows of a verdict: plain values for the template, quotes marked where they stand in the report. Pure."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from qa_agents.checkpoint.markup import Markup, Writer, visible
from qa_agents.trackers.schema import Action, describe
from qa_agents.triage.schema import FIELDS, Fact, Proposal, Triage

SHOWN_INCIDENTS, SHOWN_FACTS = 5, 12

Place = tuple[int, int]
"""From where to where in a text."""


def verdict_view(triage: Triage, description: str, mask: Callable[[str], str]) -> dict[str, Any]:
    """The verdict in the order a person should read it: evidence first, then what is proposed, then why it stopped."""
    write = Writer(mask)
    return {
        "summary": write.text(triage.summary),
        "description": marked(
            description,
            [fact for fact in triage.facts if fact.field == "description"],
            [fact for fact in triage.signals.injection if fact.field == "description"],
            write,
        ),
        "facts": [
            {"name": fact.name.replace("_", " "), "value": write.text(fact.value), "quote": write.text(fact.quote)}
            for fact in triage.facts[:SHOWN_FACTS]
        ],
        "more_facts": max(0, len(triage.facts) - SHOWN_FACTS),
        "hidden": [write.text(text) for text in triage.signals.hidden[:10]],
        "injection": [write.text(fact.quote) for fact in triage.signals.injection[:5]],
        "secrets": [write.text(name) for name in triage.signals.secrets],
        "nearest": [write.text(one.incident_id) for one in triage.similar[:SHOWN_INCIDENTS]],
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
        "witness": [write.text(line) for line in triage.witness.told()] if triage.witness else [],
        "questions": [write.text(text) for text in triage.missing],
        "writes": [_write(action, write) for action in triage.actions],
        "reasons": [_reason(reason, write) for reason in triage.gate.reasons],
        "gate": triage.gate.decision,
    }


def marked(text: str, facts: Iterable[Fact], suspicious: Iterable[Fact], write: Writer) -> Markup:
    """The text with every quoted stretch marked, what addresses a machine as suspicious, before all else.

    Masked as a whole before it is cut, so that no mark divides a secret; where masking moved the offsets, quotes are looked for.
    """
    masked = write.masked(text)
    warned = _apart(_places(text, masked, suspicious))
    told = _apart(piece for place in _places(text, masked, facts) for piece in _around(place, warned))
    parts: list[str] = []
    at = 0
    for start, end, kind in sorted([(*place, " class=warn") for place in warned] + [(*place, "") for place in told]):
        parts.append(visible(masked[at:start]))
        parts.append(f"<mark{kind}>{visible(masked[start:end])}</mark>")
        at = end
    parts.append(visible(masked[at:]))
    return Markup("".join(parts))


def _apart(places: Iterable[Place]) -> list[Place]:
    """The places without those that overlap an earlier one."""
    kept: list[Place] = []
    for start, end in sorted(places, key=lambda one: (one[0], -one[1])):
        if not kept or start >= kept[-1][1]:
            kept.append((start, end))
    return kept


def _around(place: Place, others: Sequence[Place]) -> Iterator[Place]:
    """What is left of a place beside the others."""
    at, end = place
    for start, stop in others:
        if start < end and stop > at:
            if at < start:
                yield at, start
            at = stop
    if at < end:
        yield at, end


def _places(text: str, masked: str, facts: Iterable[Fact]) -> Iterator[Place]:
    """Where the facts' quotes stand in the masked text."""
    at = 0
    for fact in sorted(facts, key=lambda one: one.start):
        start, end = fact.start, fact.end
        if masked != text:
            start = masked.find(fact.quote, at)
            end = start + len(fact.quote)
            at = max(at, start)
        if 0 <= start < end <= len(masked):
            yield start, end


def shown_view(shown: dict[str, Any], mask: Callable[[str], str]) -> dict[str, Any]:
    """What a sign-off or a question shows, as inert text."""
    write = Writer(mask)
    return {
        "summary": write.text(shown.get("summary", "")),
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
        "risks": [
            {
                "requirement": write.text(one.get("requirement", "")),
                "level": one.get("level"),
                "reasons": [write.text(text) for text in one.get("reasons", ())],
            }
            for one in _dicts(shown.get("risks"))
        ],
        "assumptions": [
            {"text": write.text(one.get("text", "")), "assumed": write.text(one.get("assumed", ""))}
            for one in _dicts(shown.get("assumptions"))
        ],
        "sign_offs": [
            write.text(f"{one.get('role')}: {one.get('why')} ({one.get('standard')})")
            for one in _dicts(shown.get("sign_offs"))
        ],
        "waivable": [str(name) for name in shown.get("waivable") or ()],
    }


def _dicts(value: Any) -> Sequence[dict[str, Any]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _write(action: Action, write: Writer) -> dict[str, Any]:
    """One change as it would be made; a text that others will read is shown whole."""
    said = action.kind == "add_comment"
    return {
        "what": write.text(
            ("Public comment" if action.params.get("public") else "Private comment") if said else describe(action)
        ),
        "public": bool(action.params.get("public")),
        "text": write.text(action.params.get("text", "")) if said else None,
        "target": write.text(action.target),
    }


def _proposal(name: str, proposal: Proposal, write: Writer) -> dict[str, Any]:
    speaking = proposal.evidence if proposal.value else proposal.against or proposal.evidence
    return {
        "field": name,
        "value": write.text(proposal.value) if proposal.value else None,
        "raw": proposal.value or "",
        "alternatives": [write.text(one.value) for one in proposal.alternatives[:4]],
        "choices": [one.value for one in proposal.alternatives[:8]],
        "evidence": [write.text(one.text) for one in speaking[:4]],
        "against": [write.text(one.text) for one in proposal.against[:3]] if proposal.value else [],
        "kept": f"kept in {proposal.kept} of {proposal.cases} like cases" if proposal.cases else "",
    }


def _reason(reason: str, write: Writer) -> dict[str, Markup]:
    rule, _, sentence = reason.partition(": ")
    return {"rule": write.text(rule), "sentence": write.text(sentence or rule)}
