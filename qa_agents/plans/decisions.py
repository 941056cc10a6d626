"""What people decided about single items of a plan, kept by the item's id and replayed on every draft: nothing is asked twice."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import Connection, insert, select

from qa_agents.plans.schema import Step, TestCase, TestPlan
from qa_agents.storage.tables import plan_decisions

ItemVerdict = Literal["answer", "accept", "reject", "edit"]
EDITABLE = ("title", "objective", "priority", "level", "preconditions", "steps", "tags")
"""The fields of a case that a person may change; the rest is derived."""
ASSUME = "assume"
"""The answer that accepts a question's default assumption."""


class ItemDecision(BaseModel):
    """One answer about one item: a question's answer, or whether a case is accepted, rejected or changed."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    item_id: str = Field(min_length=1, max_length=200)
    verdict: ItemVerdict
    text: str = Field(default="", max_length=10_000)
    """The answer, or the reason."""
    edits: dict[str, Any] = Field(default_factory=dict)
    """Field of the case to its new value, for `edit`."""
    by: str = Field(min_length=1, max_length=200)
    at: float


def keep(connection: Connection, plan: str, decision: ItemDecision) -> None:
    """Store one decision about an item of the plan called `plan`."""
    connection.execute(
        insert(plan_decisions).values(
            plan=plan, item_id=decision.item_id, body=decision.model_dump(mode="json"), at=decision.at
        )
    )


def decided(connection: Connection, plan: str) -> list[ItemDecision]:
    """Every decision about items of the plan called `plan`, oldest first."""
    query = select(plan_decisions.c.body).where(plan_decisions.c.plan == plan).order_by(plan_decisions.c.pk)
    return [ItemDecision.model_validate(body) for body in connection.execute(query).scalars()]


def answer(connection: Connection, plan: str, given: Mapping[str, str], by: str, *, at: float) -> None:
    """Store the answers that are not the newest ones already, so that a step which is repeated adds nothing."""
    known = answers(decided(connection, plan))
    for name, text in given.items():
        if name not in known or (known[name].text, known[name].by) != (text, by):
            keep(connection, plan, ItemDecision(item_id=name, verdict="answer", text=text, by=by, at=at))


def answers(decisions: Iterable[ItemDecision]) -> dict[str, ItemDecision]:
    """Question id to the newest answer."""
    return {decision.item_id: decision for decision in decisions if decision.verdict == "answer"}


def settled(cases: Sequence[TestCase], decisions: Sequence[ItemDecision]) -> tuple[list[TestCase], list[str]]:
    """The cases as people left them, and one sentence for each that somebody rejected; the newest decision wins.

    An edited field is locked, so that no later draft overwrites it.
    """
    newest: dict[str, ItemDecision] = {}
    edits: dict[str, dict[str, Any]] = {}
    for decision in decisions:
        if decision.verdict == "edit":
            edits[decision.item_id] = {**edits.get(decision.item_id, {}), **decision.edits}
        if decision.verdict in ("accept", "reject"):
            newest[decision.item_id] = decision
    kept, rejected = [], []
    for case in cases:
        verdict = newest.get(case.id)
        if verdict is not None and verdict.verdict == "reject":
            rejected.append(f"{case.id} {case.title}: rejected by {verdict.by} ({verdict.text or 'no reason given'}).")
            continue
        kept.append(edited(case, edits[case.id]) if case.id in edits else case)
    return kept, rejected


def edited(case: TestCase, changes: dict[str, Any]) -> TestCase:
    """The case with a person's changes, which stay locked. Unknown fields and values of another shape raise ValueError."""
    unknown = sorted(set(changes) - set(EDITABLE))
    if unknown:
        raise ValueError(f"{unknown[0]} cannot be edited; editable are {', '.join(EDITABLE)}")
    values: dict[str, Any] = {name: _shaped(name, value) for name, value in changes.items()}
    locked = list(dict.fromkeys([*case.locked_fields, *values]))
    return TestCase.model_validate(
        {**case.model_dump(), **values, "origin": "edited", "locked_fields": locked, "suspect": case.suspect}
    )


def _shaped(name: str, value: Any) -> Any:
    """A value as the field wants it: one text is a list of one, and `action => expected` is a step."""
    if name == "steps":
        rows = value if isinstance(value, list) else str(value).splitlines()
        return [row if isinstance(row, dict) else _step(str(row)) for row in rows]
    if name in ("preconditions", "tags"):
        return value if isinstance(value, list) else [part.strip() for part in str(value).split(";") if part.strip()]
    return value


def _step(text: str) -> dict[str, str]:
    action, arrow, expected = text.partition("=>")
    if not arrow or not action.strip() or not expected.strip():
        raise ValueError("a step is written `action => what can be observed then`")
    return Step(action=action.strip(), expected=expected.strip()).model_dump()


def open_questions(plan: TestPlan) -> list[str]:
    """Ids of the questions nobody answered, the most important first."""
    waiting = [question for question in plan.questions if question.answer is None]
    return [q.id for q in sorted(waiting, key=lambda q: (-q.impact * q.uncertainty, -len(q.blocks_cases), q.id))]
