"""One page of what waits, with counts: read from an index, so that ten thousand reviews cost little more than fifty."""

import json
from collections import Counter
from typing import Any

from pydantic import BaseModel, Field
from sqlalchemy import ColumnElement, Connection, Row, case, func, select

from qa_agents.checkpoint.policy import DEFAULT, Policy
from qa_agents.checkpoint.schema import PENDING, Review
from qa_agents.checkpoint.votes import hours_left
from qa_agents.storage.tables import reviews

PAGE = 50
_URGENCY = ("block", "ask", "abstain")
"""Gate decisions, the most urgent first."""


class Filters(BaseModel):
    """What is looked for; everything that waits, when nothing is given."""

    kind: str | None = None
    gate: str | None = None
    rule: str | None = None
    assigned_to: str | None = None
    """Handed to this person or role."""
    subject: str | None = None
    """A part of the report's id, in any case."""
    overdue: bool = False
    """Only what is past its deadline, quiet hours not counted."""


class Line(BaseModel):
    """One review in the list."""

    review_id: str
    subject_id: str
    kind: str
    form: str
    gate: str
    rules: list[str] = Field(default_factory=list)
    summary: str
    opened_at: float
    hours_left: float | None
    """Until it is overdue; negative afterwards, None without a deadline."""
    approvals: int
    """How many different people must approve."""
    assigned_to: str | None


class WaitingPage(BaseModel):
    """A page of the list; `total` counts all that match, the others all that wait."""

    lines: list[Line]
    total: int
    page: int
    pages: int
    waiting: int
    kinds: dict[str, int]
    gates: dict[str, int]
    """The most urgent first."""
    rules: dict[str, int]
    """The most frequent first."""
    overdue: int


def waiting_page(
    connection: Connection, now: float, *, filters: Filters | None = None, page: int = 1, policy: Policy = DEFAULT
) -> WaitingPage:
    """The reviews that wait, the most urgent gate first, then by deadline, then the oldest; deferred ones once they are due.

    `page` counts from 1 and is moved into what there is; a page has PAGE lines.
    """
    waits = reviews.c.state.in_(PENDING) & (
        (reviews.c.state == "pending") | (reviews.c.due_at <= now)
    )  # `in` lets the index be used
    kinds, gates, rules, overdue = _counts(connection, waits, now)
    waiting = total = sum(kinds.values())
    chosen = [waits, *_chosen(filters or Filters(), now)]
    if len(chosen) > 1:
        total = int(connection.execute(select(func.count()).select_from(reviews).where(*chosen)).scalar() or 0)
    pages = max(1, -(-total // PAGE))
    page = min(max(page, 1), pages)
    return WaitingPage(
        lines=[_line(row, policy, now) for row in connection.execute(_lines(chosen, page)).all()],
        total=total,
        page=page,
        pages=pages,
        waiting=waiting,
        kinds=dict(kinds.most_common()),
        gates={gate: gates[gate] for gate in _URGENCY if gates[gate]},
        rules=dict(rules.most_common()),
        overdue=overdue,
    )


def _chosen(filters: Filters, now: float) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if filters.kind:
        found.append(reviews.c.kind == filters.kind)
    if filters.gate:
        found.append(reviews.c.gate == filters.gate)
    if filters.rule:
        found.append(reviews.c.rules.contains(json.dumps(filters.rule), autoescape=True))
    if filters.assigned_to:
        found.append(reviews.c.assigned_to == filters.assigned_to)
    if filters.subject:
        found.append(func.lower(reviews.c.subject_id).contains(filters.subject.lower(), autoescape=True))
    if filters.overdue:
        found.append(reviews.c.deadline <= now)
    return found


def _lines(chosen: list[ColumnElement[bool]], page: int) -> Any:
    """The rows of one page; sorted by what the index holds, and only what is on the page is opened."""
    urgency = case({name: number for number, name in enumerate(_URGENCY)}, value=reviews.c.gate, else_=1)
    order = (urgency, reviews.c.deadline.is_(None), reviews.c.deadline, reviews.c.opened_at, reviews.c.review_id)
    listed = select(reviews.c.review_id).where(*chosen).order_by(*order).limit(PAGE).offset((page - 1) * PAGE)
    return select(reviews).where(reviews.c.review_id.in_(listed)).order_by(*order)


def _counts(
    connection: Connection, waits: ColumnElement[bool], now: float
) -> tuple[Counter[str], Counter[str], Counter[str], int]:
    """How much waits: by kind, by gate, by rule, and past its deadline."""
    late = func.sum(case((reviews.c.deadline <= now, 1), else_=0))
    grouped = (reviews.c.kind, reviews.c.gate, reviews.c.rules)
    kinds: Counter[str] = Counter()
    gates: Counter[str] = Counter()
    rules: Counter[str] = Counter()
    overdue = 0
    for row in connection.execute(select(*grouped, func.count(), late).where(waits).group_by(*grouped)).all():
        kind, gate, spoken, count, past = row
        kinds[kind] += count
        gates[gate or ""] += count
        for rule in _listed(spoken):
            rules[rule] += count
        overdue += past
    return kinds, gates, rules, overdue


def _line(row: Row[Any], policy: Policy, now: float) -> Line:
    shown: dict[str, Any] = row.shown if isinstance(row.shown, dict) else {}
    review = Review.model_validate({**row._mapping, "shown": {}})
    return Line(
        review_id=row.review_id,
        subject_id=row.subject_id,
        kind=row.kind,
        form=row.form,
        gate=row.gate or row.form,
        rules=_listed(row.rules),
        summary=str(shown.get("summary") or ""),
        opened_at=row.opened_at,
        hours_left=hours_left(policy, review, now),
        approvals=review.requires.approvals if review.requires else 1,
        assigned_to=row.assigned_to,
    )


def _listed(text: str | None) -> list[str]:
    """Rules as the column keeps them: a JSON list as text."""
    try:
        found = json.loads(text or "[]")
    except ValueError:
        return []
    return [str(rule) for rule in found] if isinstance(found, list) else []
