"""One page of what waits, with counts: read from the table, so that ten thousand reviews cost no more than fifty."""

from typing import Any

from pydantic import BaseModel, Field
from sqlalchemy import Connection, Row, case, func, or_, select

from qa_agents.storage.tables import reviews

PAGE = 50
_URGENCY = ("block", "ask", "abstain")
"""Gate decisions, the most urgent first."""


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
    due_at: float | None
    assigned_to: str | None


class WaitingPage(BaseModel):
    """A page of the list; `total` counts all that match, `counts` all that wait by kind and gate."""

    lines: list[Line]
    total: int
    page: int
    pages: int
    counts: dict[str, int]


def waiting_page(
    connection: Connection,
    now: float,
    *,
    kind: str | None = None,
    gate: str | None = None,
    rule: str | None = None,
    assigned_to: str | None = None,
    page: int = 1,
) -> WaitingPage:
    """The reviews that wait, the most urgent gate first, then what is due, then the oldest; deferred ones once they are due."""
    shown_gate = reviews.c.shown["gate"].as_string()
    due = or_(reviews.c.state == "pending", (reviews.c.state == "deferred") & (reviews.c.due_at <= now))
    chosen = [due]
    if kind:
        chosen.append(reviews.c.kind == kind)
    if gate:
        chosen.append(shown_gate == gate)
    if assigned_to:
        chosen.append(reviews.c.assigned_to == assigned_to)
    if rule and rule.replace("-", "").isalnum():
        chosen.append(reviews.c.shown["rules"].as_string().like(f'%"{rule}"%'))
    total = int(connection.execute(select(func.count()).select_from(reviews).where(*chosen)).scalar() or 0)
    pages = max(1, -(-total // PAGE))
    page = min(max(page, 1), pages)
    urgency = case({name: number for number, name in enumerate(_URGENCY)}, value=shown_gate, else_=1)
    query = (
        select(reviews)
        .where(*chosen)
        .order_by(urgency, reviews.c.due_at.is_(None), reviews.c.due_at, reviews.c.opened_at, reviews.c.review_id)
        .limit(PAGE)
        .offset((page - 1) * PAGE)
    )
    grouped = select(reviews.c.kind, func.count()).where(due).group_by(reviews.c.kind)
    counts = {str(name): int(count) for name, count in connection.execute(grouped).all()}
    gated = select(shown_gate, func.count()).where(due).group_by(shown_gate)
    counts |= {f"gate:{name}": int(count) for name, count in connection.execute(gated).all() if name}
    lines = [_line(row) for row in connection.execute(query).all()]
    return WaitingPage(lines=lines, total=total, page=page, pages=pages, counts=counts)


def _line(row: Row[Any]) -> Line:
    shown: dict[str, Any] = row.shown if isinstance(row.shown, dict) else {}
    return Line(
        review_id=row.review_id,
        subject_id=row.subject_id,
        kind=row.kind,
        form=row.form,
        gate=str(shown.get("gate") or row.form),
        rules=[str(rule) for rule in shown.get("rules") or []],
        summary=str(shown.get("summary") or ""),
        opened_at=row.opened_at,
        due_at=row.due_at,
        assigned_to=row.assigned_to,
    )
