"""From requirements to a test plan, without a model and without a workspace: the whole of it as one pure function."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from qa_agents.incidents.schema import Incident
from qa_agents.plans import alike, cases, checks, diff, documented, domains, duplicates, risk, strategy, trace
from qa_agents.plans.decisions import ItemDecision, answers, settled
from qa_agents.plans.questions import ask, ask_how, link_blocked
from qa_agents.plans.read import Document
from qa_agents.plans.schema import Gap, Question, Requirement, TestCase, TestPlan
from qa_agents.plans.smells import find_smells
from qa_agents.plans.techniques import coverage_items, open_ends
from qa_agents.plans.techniques.coverage import measure
from qa_agents.storage.canonical import digest_of

ISSUE = re.compile(r"[A-Z][A-Z0-9_]{1,40}-[0-9]{1,10}")
"""A source with such a name is an issue's text; cases that rest on it carry the key as a tag."""


@dataclass(frozen=True)
class Basis:
    """Everything a draft rests on."""

    documents: Sequence[Document]
    requirements: Sequence[Requirement]
    similar: Callable[[str], Sequence[tuple[float, Incident]]] = lambda _text: ()
    """Past incidents like a text, the nearest first."""
    decisions: Sequence[ItemDecision] = ()
    previous: TestPlan | None = None
    existing: Sequence[tuple[str, bytes]] = ()
    """Files of cases that the team has already."""
    domains: Sequence[str] = field(default_factory=list)


def draft_plan(basis: Basis, *, title: str) -> TestPlan:
    """The whole plan. Equal input gives an equal plan; with a previous one, what did not change stays the same to the byte.

    Raises NotFoundError for a domain pack that does not exist, InvalidInputError for a file of cases that cannot be read.
    """
    aligned = diff.align(basis.previous.requirements, basis.requirements) if basis.previous else None
    requirements = aligned.requirements if aligned else list(basis.requirements)
    given = answers(basis.decisions)
    smells = find_smells(requirements, basis.documents)
    items = coverage_items(requirements)
    packs = [domains.load_pack(name) for name in basis.domains]
    pack_questions, pack_risks, pack_cases, sign_offs = domains.apply(packs, requirements)
    texts = {name: decision.text for name, decision in given.items()}
    unclear = cases.unclear_items(requirements, items)
    open_ = [*ask(requirements, smells, texts), *open_ends(items, requirements), *pack_questions]
    shown = {item.requirement_id for item in items if item.id not in unclear}
    reasons = {item.requirement_id: unclear[item.id] for item in items if item.requirement_id not in shown}
    questions = [_answered(question, given) for question in [*open_, *ask_how(requirements, reasons, open_)]]
    risks = domains.combined(risk.assess(requirements, smells, basis.similar), pack_risks)
    lessons = risk.lessons(requirements, risks, basis.similar)
    labels = {one.source.id: one.source.name for one in basis.documents if ISSUE.fullmatch(one.source.name)}
    drafted, left_out = cases.draft(requirements, items, risks, questions, lessons, labels=labels, unclear=unclear)
    known = [case for name, body in basis.existing for case in duplicates.parse_existing(name, body)]
    drafted, left_out = documented.linked(drafted, left_out, requirements, items)
    apart = alike.told_apart([*drafted, *pack_cases], requirements, questions)
    own, dropped = duplicates.drop_duplicates(apart, known)
    plan = TestPlan(
        id=f"PLAN-{digest_of([document.source.id for document in basis.documents])[:12]}",
        title=title,
        sources=[document.source for document in basis.documents],
        requirements=requirements,
        smells=smells,
        questions=questions,
        risks=risks,
        items=items,
        cases=own,
        left_out=[*left_out, *dropped],
        domains=list(basis.domains),
        sign_offs=sign_offs,
    )
    if aligned and basis.previous:
        gone = [one.item_id for one in basis.decisions if one.verdict == "accept"]
        plan = diff.carry_over(basis.previous, plan, aligned, accepted=gone)
    return _finished(plan, basis.decisions)


def _finished(plan: TestPlan, decisions: Sequence[ItemDecision]) -> TestPlan:
    """The plan as people left its cases, measured, checked and described."""
    kept, rejected = settled(plan.cases, decisions)
    plan = plan.model_copy(
        update={
            "cases": kept,
            "left_out": [*plan.left_out, *rejected],
            "questions": link_blocked(plan.questions, kept),
            "coverage": measure(plan.items, kept),
        }
    )
    plan, unsound = _sound(plan)
    plan = plan.model_copy(update={"gaps": [*_gaps(plan), *unsound]})
    return plan.model_copy(update={"sections": strategy.sections(plan)})


def _gaps(plan: TestPlan) -> list[Gap]:
    return trace.gaps(plan.requirements, plan.items, plan.cases, plan.questions, plan.sources)


def _sound(plan: TestPlan) -> tuple[TestPlan, list[Gap]]:
    """The plan without drafted cases that fail a check, each of them named.

    What a person wrote, and what waits for a person since the text changed under it, stays and is named too.
    """
    defects = checks.check(plan)
    if not defects:
        return plan, []
    at_fault: dict[str, str] = {}
    for sentence in defects:
        name = next((case.id for case in plan.cases if case.id in sentence), "")
        at_fault.setdefault(name or sentence, sentence)
    waiting = {*plan.changes.suspect, *plan.changes.orphaned} if plan.changes else set()
    kept = [case for case in plan.cases if case.id not in at_fault or _is_mine(case) or case.id in waiting]
    gaps = [Gap(kind="case", ref=name[:60], why=sentence) for name, sentence in at_fault.items()]
    return plan.model_copy(update={"cases": kept, "coverage": measure(plan.items, kept)}), gaps


def _is_mine(case: TestCase) -> bool:
    return case.origin != "drafted"


def _answered(question: Question, given: dict[str, ItemDecision]) -> Question:
    decision = given.get(question.id)
    if decision is None:
        return question
    return question.model_copy(update={"answer": decision.text, "answered_by": decision.by, "answered_at": decision.at})
