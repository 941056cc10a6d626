"""Traceability in both directions, always derived from the cases: what lacks its counterpart, and the matrix."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import TypedDict

from qa_agents.plans.schema import CoverageItem, Gap, Question, Requirement, Source, TestCase
from qa_agents.plans.techniques import testable
from qa_agents.plans.wording import cut
from qa_agents.plurals import counted


class TraceRow(TypedDict):
    """One requirement with everything that leads to it."""

    requirement_id: str
    explicit_id: str | None
    line: int
    text: str
    kind: str
    case_ids: list[str]
    item_ids: list[str]
    uncovered_item_ids: list[str]
    question_ids: list[str]


def gaps(
    requirements: Sequence[Requirement],
    items: Sequence[CoverageItem],
    cases: Sequence[TestCase],
    questions: Sequence[Question] = (),
    sources: Sequence[Source] = (),
) -> list[Gap]:
    """Everything without its counterpart: requirements and items no case exercises, cases and questions that lead nowhere, text
    that was not read. In this order, and the order of what was given."""
    known = {requirement.id for requirement in requirements}
    traced = {name for case in cases for name in case.requirement_ids}
    exercised = {name for case in cases for name in case.item_ids}
    found = [
        Gap(kind="requirement", ref=one.id, why=f"No case exercises it: {cut(one.text, 120)}")
        for one in testable(requirements)
        if one.id not in traced
    ]
    found += [
        Gap(kind="item", ref=one.id, why=f"{one.technique.replace('_', ' ')}, no case exercises it: {one.what}")
        for one in items
        if one.id not in exercised
    ]
    for case in cases:
        missing = [name for name in case.requirement_ids if name not in known]
        if missing or not case.requirement_ids:
            why = f"It names {', '.join(missing)}, which is no requirement." if missing else "It names no requirement."
            found.append(Gap(kind="case", ref=case.id, why=why))
    found += [
        Gap(
            kind="question",
            ref=one.id,
            why=f"Not answered, {counted(len(one.blocks_cases), 'case waits', 'cases wait')} for it: {cut(one.text, 120)}",
        )
        for one in questions
        if one.answer is None and one.blocks_cases
    ]
    found += [
        Gap(kind="source", ref=source.id, why=f"{source.name}: {said}") for source in sources for said in source.unread
    ]
    return found


def matrix(
    requirements: Sequence[Requirement],
    cases: Iterable[TestCase],
    items: Iterable[CoverageItem] = (),
    questions: Iterable[Question] = (),
) -> list[TraceRow]:
    """One row a requirement, in the order of the text, with its cases, items and questions; untested ones too."""
    by_case: dict[str, list[TestCase]] = defaultdict(list)
    for case in cases:
        for name in case.requirement_ids:
            by_case[name].append(case)
    by_item: dict[str, list[str]] = defaultdict(list)
    for item in items:
        by_item[item.requirement_id].append(item.id)
    by_question: dict[str, list[str]] = defaultdict(list)
    for question in questions:
        for name in question.requirement_ids:
            by_question[name].append(question.id)
    rows: list[TraceRow] = []
    for one in requirements:
        exercised = {name for case in by_case[one.id] for name in case.item_ids}
        rows.append(
            TraceRow(
                requirement_id=one.id,
                explicit_id=one.explicit_id,
                line=one.line,
                text=one.text,
                kind=one.kind,
                case_ids=[case.id for case in by_case[one.id]],
                item_ids=by_item[one.id],
                uncovered_item_ids=[name for name in by_item[one.id] if name not in exercised],
                question_ids=by_question[one.id],
            )
        )
    return rows
