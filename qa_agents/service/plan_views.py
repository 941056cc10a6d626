"""What the plan pages show: the specification with its quotes marked, requirements with their cases, gaps. Plain values, pure."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from qa_agents.checkpoint.markup import Markup, Writer, visible
from qa_agents.plans.decisions import ItemDecision
from qa_agents.plans.schema import NOT_TESTED, Question, Requirement, Risk, TestCase, TestPlan

SHOWN_REQUIREMENTS = 60
"""Requirements on one page; more are turned over."""


def plan_view(
    plan: TestPlan,
    texts: Mapping[str, str],
    decided: Sequence[ItemDecision],
    mask: Callable[[str], str],
    *,
    page: int = 1,
) -> dict[str, Any]:
    """Everything a person needs to sign or to change a plan; `page` (from 1) turns over the requirements."""
    write = Writer(mask)
    pages = max(1, -(-len(plan.requirements) // SHOWN_REQUIREMENTS))
    page = min(max(page, 1), pages)
    shown = plan.requirements[(page - 1) * SHOWN_REQUIREMENTS : page * SHOWN_REQUIREMENTS]
    risks = {risk.requirement_id: risk for risk in plan.risks}
    verdicts = {one.item_id: one for one in decided if one.verdict in ("accept", "reject", "edit")}
    return {
        "id": plan.id,
        "title": write.text(plan.title),
        "counts": {
            "requirements": len(plan.requirements),
            "cases": len(plan.cases),
            "open questions": sum(one.answer is None for one in plan.questions),
            "suspect cases": sum(case.suspect is not None for case in plan.cases),
        },
        "coverage": [
            {"technique": one.technique.replace("_", " "), "covered": one.covered, "total": one.items}
            for one in plan.coverage
            if one.items
        ],
        "sections": [{"title": write.text(one.title), "text": write.text(one.text)} for one in plan.sections],
        "questions": [_question(one, write) for one in plan.questions],
        "sources": [
            {
                "name": write.text(source.name),
                "text": _marked(
                    texts.get(source.id, ""), [r for r in plan.requirements if r.source_id == source.id], write
                ),
                "unread": [write.text(text) for text in source.unread],
                "instructions": [
                    write.text(smell.quote)
                    for smell in plan.smells
                    if smell.kind == "instruction" and _source_of(plan, smell.requirement_id) == source.id
                ],
            }
            for source in plan.sources
        ],
        "requirements": [
            _requirement(one, risks.get(one.id), _cases_of(plan, one.id), verdicts, write) for one in shown
        ],
        "page": page,
        "pages": pages,
        "gaps": [write.text(f"{gap.kind} {gap.ref}: {gap.why}") for gap in plan.gaps],
        "left_out": [write.text(text) for text in plan.left_out],
        "changes": _changes(plan),
    }


def case_view(
    plan: TestPlan, case: TestCase, decided: Sequence[ItemDecision], mask: Callable[[str], str]
) -> dict[str, Any]:
    """One case with the words it rests on, and its fields as a form takes them."""
    write = Writer(mask)
    verdicts = {one.item_id: one for one in decided if one.verdict in ("accept", "reject", "edit")}
    return {
        "case": _case(case, verdicts, write),
        "requirements": [
            {"name": write.text(one.explicit_id or one.id), "quote": write.text(one.quote), "line": one.line}
            for one in plan.requirements
            if one.id in case.requirement_ids
        ],
        "fields": {
            "title": case.title,
            "objective": case.objective,
            "priority": case.priority,
            "level": case.level,
            "preconditions": "; ".join(case.preconditions),
            "steps": "\n".join(f"{step.action} => {step.expected}" for step in case.steps),
            "tags": "; ".join(case.tags),
        },
    }


def _requirement(
    one: Requirement,
    risk: Risk | None,
    cases: Sequence[TestCase],
    verdicts: Mapping[str, ItemDecision],
    write: Writer,
) -> dict[str, Any]:
    return {
        "id": one.id,
        "name": write.text(one.explicit_id or one.id),
        "quote": write.text(one.quote),
        "where": write.text(" › ".join(one.heading_path)),
        "line": one.line,
        "kind": one.kind.replace("_", " "),
        "modality": one.modality,
        "tested": one.kind not in NOT_TESTED,
        "risk": {"level": risk.level, "reasons": [write.text(text) for text in risk.reasons]} if risk else None,
        "cases": [_case(case, verdicts, write) for case in cases],
        "unjudged": [case.id for case in cases if case.id not in verdicts],
    }


def _case(case: TestCase, verdicts: Mapping[str, ItemDecision], write: Writer) -> dict[str, Any]:
    said = verdicts.get(case.id)
    return {
        "id": case.id,
        "title": write.text(case.title),
        "objective": write.text(case.objective),
        "technique": case.technique.replace("_", " "),
        "polarity": case.polarity,
        "priority": case.priority,
        "basis": case.expected_basis,
        "basis_quote": write.text(case.basis_quote),
        "waits_for": [write.text(name) for name in case.question_ids],
        "incidents": [write.text(name) for name in case.incident_ids],
        "suspect": write.text(case.suspect) if case.suspect else None,
        "preconditions": [write.text(text) for text in case.preconditions],
        "steps": [
            {"action": write.text(one.action), "data": write.text(one.data), "expected": write.text(one.expected)}
            for one in case.steps
        ],
        "edited": case.origin == "edited",
        "said": f"{said.verdict} by {said.by}" if said else None,
    }


def _question(one: Question, write: Writer) -> dict[str, Any]:
    return {
        "id": one.id,
        "text": write.text(one.text),
        "assumed": write.text(one.default_assumption),
        "answer": write.text(one.answer) if one.answer is not None else None,
        "by": write.text(one.answered_by or ""),
        "options": [write.text(text) for text in one.options],
        "blocks": len(one.blocks_cases),
    }


def _changes(plan: TestPlan) -> dict[str, int]:
    """What a new version of the specification made of the cases, in numbers; empty for a first draft."""
    if plan.changes is None:
        return {}
    names = ("kept", "relinked", "suspect", "redrafted", "added", "orphaned")
    return {name: len(getattr(plan.changes, name)) for name in names}


def _marked(text: str, requirements: Iterable[Requirement], write: Writer) -> Markup:
    """The text with each quote marked and linked to its cases; where quotes overlap, the longer one is marked.

    Masked as a whole before it is cut; where that moved the offsets, quotes are looked for.
    """
    masked = write.masked(text)
    parts: list[str] = []
    at = 0
    for one in sorted(requirements, key=lambda each: (each.start, -each.end)):
        start = one.start if masked == text else masked.find(one.quote, at)
        if start < at or masked[start : start + len(one.quote)] != one.quote:
            continue
        name = write.text(one.id)
        parts.append(visible(masked[at:start]))
        parts.append(f'<mark id="q-{name}"><a href="#r-{name}">{visible(one.quote)}</a></mark>')
        at = start + len(one.quote)
    parts.append(visible(masked[at:]))
    return Markup("".join(parts))


def _cases_of(plan: TestPlan, requirement_id: str) -> list[TestCase]:
    return [case for case in plan.cases if requirement_id in case.requirement_ids]


def _source_of(plan: TestPlan, requirement_id: str) -> str | None:
    return next((one.source_id for one in plan.requirements if one.id == requirement_id), None)
