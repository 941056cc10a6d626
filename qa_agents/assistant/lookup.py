"""What the chat can look up in a workspace: what an id stands for, what the past holds, what waits for whom."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from sqlalchemy import select

from qa_agents.assistant.schema import Item, ItemKind
from qa_agents.checkpoint.schema import Review
from qa_agents.errors import NotAllowedError, NotFoundError
from qa_agents.incidents.schema import Candidate, Incident, Report
from qa_agents.operations.deciding import Waiting, recognise, waiting
from qa_agents.storage.tables import incidents, reports, reviews

if TYPE_CHECKING:
    from pydantic import SecretStr

    from qa_agents.wiring import Workspace


def known(workspace: "Workspace", token: str) -> Item | None:
    """What is known under exactly this id: a review, a received report, a past incident or a plan; None for nothing."""
    review = review_of(workspace, token) if token.startswith("rv-") else None
    if review is not None:
        return Item(kind="review", id=review.review_id)
    account = workspace.received.find(token)
    if account is not None:
        kinds: dict[str, ItemKind] = {"plan/": "plan", "summary/": "run"}
        return Item(kind=next((kind for start, kind in kinds.items() if token.startswith(start)), "report"), id=token)
    if workspace.store.pk_of(token) is not None:
        return Item(kind="incident", id=token)
    if workspace.received.find(f"plan/{token}") is not None:
        return Item(kind="plan", id=f"plan/{token}")
    return None


def review_of(workspace: "Workspace", name: str) -> Review | None:
    """The review with this id, or the newest of the report or plan with it; None where there is none."""
    try:
        return workspace.inbox.find(name)
    except NotFoundError:
        return None


def waiting_review(workspace: "Workspace", name: str) -> Review | None:
    """The same, if it still waits for an answer."""
    review = review_of(workspace, name)
    return review if review is not None and review.waits else None


def search(workspace: "Workspace", text: str, k: int) -> tuple[list[tuple[Candidate, Incident]], list[str]]:
    """The k past incidents that are most like a text, and what was not done."""
    retrieval = workspace.memory.ask(text, k=k)
    return workspace.memory.neighbours(retrieval), retrieval.notes


def like(workspace: "Workspace", report: Report, k: int) -> tuple[list[tuple[Candidate, Incident]], list[str]]:
    """The k past incidents that are most like a report, as known now, and what was not done."""
    memory = workspace.memory
    retrieval = memory.search(report, k=k, as_of=datetime.now(UTC))
    return memory.neighbours(retrieval), retrieval.notes


def mine(
    workspace: "Workspace", reviewer: str | None, token: "SecretStr | None"
) -> tuple[list[Waiting], list[bool], str]:
    """What waits; for each whether this person may decide it; and the person's name. Somebody unlisted may decide nothing."""
    found, policy = waiting(workspace), workspace.inbox.policy
    try:
        who = recognise(workspace, reviewer, token)
    except NotAllowedError:
        return found, [False] * len(found), reviewer or workspace.settings.default_reviewer
    own = {who.name, *who.roles}
    flags = []
    for item in found:
        required, assigned = item.review.requires, item.review.assigned_to
        able = not policy.reviewers or required is None or who.name in policy.entitled(required.roles, required.of)
        voted = any(vote.reviewer == who.name and vote.verdict != "defer" for vote in item.review.votes)
        flags.append((assigned in own if assigned else able) and not voted)
    return found, flags, who.name


def names(workspace: "Workspace", limit: int) -> list[str]:
    """Ids worth completing: what waits, then the newest reports, plans and incidents; at most `limit` of each kind."""
    queries = (
        select(reviews.c.review_id).where(reviews.c.state == "pending").order_by(reviews.c.opened_at.desc()),
        select(reports.c.report_id).order_by(reports.c.changed_at.desc()),
        select(incidents.c.id).order_by(incidents.c.created.desc()),
    )
    with workspace.database.read() as connection:
        found = [str(name) for query in queries for name in connection.execute(query.limit(limit)).scalars()]
    return list(dict.fromkeys(name.removeprefix("plan/") for name in found))
