"""What blocks a release, out of what is on record: what waits at a block, severe incidents that are open, missing signatures."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import select

from qa_agents.assistant.schema import Item, Point, Reply
from qa_agents.errors import NotFoundError
from qa_agents.incidents.schema import Incident
from qa_agents.operations.deciding import Waiting, waiting
from qa_agents.results.summary import Summary
from qa_agents.storage.tables import incidents as table
from qa_agents.storage.tables import runs
from qa_agents.summarizing import summarised

if TYPE_CHECKING:
    from qa_agents.wiring import Workspace

SHOWN = 8
_LOOKED_AT = 2_000


class ReleaseView(BaseModel):
    """What speaks against releasing, as far as it is on record."""

    model_config = ConfigDict(frozen=True)

    blocks: list[Waiting] = Field(default_factory=list)
    """Reviews that the gate blocked, or that hold a summary back."""
    unsigned: list[Waiting] = Field(default_factory=list)
    """Plans and summaries that nobody signed yet."""
    severe: list[Incident] = Field(default_factory=list)
    """Open incidents at the team's two highest severities, the highest first, then the newest."""
    run: Summary | None = None
    """The newest test run that was summarised."""
    words: list[str] = Field(default_factory=list)
    """Those severities in the team's words."""


def release_view(workspace: "Workspace", now: datetime | None = None) -> ReleaseView:
    """Gather it from the reviews and the memory."""
    moment = now or datetime.now(UTC)
    found = waiting(workspace)
    rubric, vocabulary = workspace.rubric, workspace.store.severities()
    levels = {word: rubric.level_of(word, vocabulary) for word in vocabulary}
    top = sorted((level, word) for word, level in levels.items() if level is not None and level <= 2)
    words = [word for _, word in top]
    return ReleaseView(
        blocks=[item for item in found if item.review.shown.get("gate") == "block" or item.review.kind == "summary"],
        unsigned=[item for item in found if item.review.form == "signoff" and item.review.kind != "summary"],
        severe=_open_incidents(workspace, words, moment),
        run=_newest_run(workspace),
        words=words,
    )


def release_reply(view: ReleaseView, version: str | None) -> Reply:
    """The view as an answer; what is not known to the program is said to be unknown."""
    severe = [one for one in view.severe if version is None or (one.version or "").startswith(version)]
    listed = [
        (Item(kind="review", id=review.review_id), f"waits · {review.subject_id} · {review.shown.get('summary', '')}")
        for review in (item.review for item in view.blocks[:SHOWN])
    ]
    listed += [
        (Item(kind="incident", id=one.id), f"open · {one.severity} · {one.component or 'no component'} · {one.summary}")
        for one in severe[: max(SHOWN - len(listed), 3)]
    ]
    counts = [
        f"{len(view.blocks)} {'report is' if len(view.blocks) == 1 else 'reports are'} blocked at the checkpoint"
        if view.blocks
        else "",
        f"{len(severe)} open {'incident is' if len(severe) == 1 else 'incidents are'} {' or '.join(view.words)}"
        if severe
        else "",
        f"{len(view.unsigned)} {'plan has' if len(view.unsigned) == 1 else 'plans have'} no signature"
        if view.unsigned
        else "",
    ]
    red = view.run if view.run is not None and view.run.light != "green" else None
    if red is not None:
        counts.insert(0, f"the last test run I was shown, {red.run.run_id}, is {red.light}")
    said = [count for count in counts if count]
    text = f"On record against it: {'; '.join(said)}." if said else "Nothing on record blocks it."
    notes = (
        [f"{len(severe) + len(view.blocks) - len(listed)} more are not listed."]
        if len(severe) + len(view.blocks) > len(listed)
        else []
    )
    notes.append(
        "Whether to release is yours to decide: I know what is on record, not what was tested or found elsewhere."
    )
    points = [
        Point(text=f"plan without signature: {item.review.shown.get('summary', '')}", ref=item.review.review_id)
        for item in view.unsigned[:3]
    ]
    return Reply(text=text, listed=listed, points=points, notes=notes, next=["show the first", "why?"])


def _newest_run(workspace: "Workspace") -> Summary | None:
    query = select(runs.c.subject_id).where(runs.c.kind == "summary").order_by(runs.c.started_at.desc()).limit(1)
    with workspace.database.read() as connection:
        subject = connection.execute(query).scalar()
    try:
        return summarised(workspace, subject.removeprefix("summary/")).summary if subject else None
    except NotFoundError:  # its summary is not finished yet
        return None


def _open_incidents(workspace: "Workspace", words: list[str], now: datetime) -> list[Incident]:
    """Open incidents of these severities; reports that only wait in the chat's own memory are among them."""
    query = (
        select(table.c.id)
        .where(table.c.severity.in_(words), table.c.resolved.is_(None), table.c.resolution.is_(None))
        .order_by(table.c.created.desc())
        .limit(_LOOKED_AT)
    )
    with workspace.database.read() as connection:
        ids = list(connection.execute(query).scalars())
    found = [incident for incident in workspace.store.get_many(ids).values() if incident.open_at(now)]
    place = {word: number for number, word in enumerate(words)}
    return sorted(
        found, key=lambda one: (place.get(one.severity or "", 99), -(one.created.timestamp() if one.created else 0))
    )
