"""What a Jira site already holds: its history into the memory, its open issues to the checkpoint, and planned writes shown."""

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, Field

from qa_agents.errors import InvalidInputError, QAAgentsError
from qa_agents.listening import CANDIDATES, received_of
from qa_agents.operations.deciding import reviewed
from qa_agents.operations.handling import handle
from qa_agents.runtime.jira_issues import JiraIssues, incidents_of
from qa_agents.storage.canonical import digest_of
from qa_agents.storage.engine import recall_fact, remember_fact
from qa_agents.trackers.jira_import import count, pages, query
from qa_agents.trackers.schema import Action, describe

if TYPE_CHECKING:
    from qa_agents.wiring import Workspace

MARK_SECONDS = 6 * 86_400.0
"""An older mark is not gone on from: Jira forgets it after seven days."""
OVERLAP = timedelta(days=1)
KEPT_REFUSALS = 1_000
SOURCE = "jira"

Progress = Callable[[str, int, int | None], None]


class Imported(BaseModel):
    """What an import of history did."""

    imported: int = 0
    updated: int = 0
    unchanged: int = 0
    refused: dict[str, str] = Field(default_factory=dict)
    """Issue key to the reason it was not taken; the first 1,000."""
    went_on_after: int = 0
    """Issues that an earlier, interrupted import had read already."""


class Backfilled(BaseModel):
    """What became of the issues that were looked at."""

    triaged: int = 0
    known: int = 0
    """Handled before, unchanged since."""
    failed: dict[str, str] = Field(default_factory=dict)


class Shown(BaseModel):
    """One planned action with the requests that would make it."""

    action: str
    requests: list[dict[str, Any]] = Field(default_factory=list)
    """{method, path, body}, in order."""
    error: str | None = None
    """Why it would not be made."""


def import_query(workspace: "Workspace", projects: Sequence[str], since: datetime | None) -> str:
    """The JQL that an import reads by."""
    return query(projects or workspace.jira.settings.projects, "created" if since else "updated", since)


def import_history(
    workspace: "Workspace",
    projects: Sequence[str],
    since: datetime | None,
    progress: Progress,
    *,
    anew: bool = False,
) -> Imported:
    """Read every issue into the memory, page by page; an interrupted import goes on behind its last stored page.

    Repeating it changes nothing. Raises UnavailableError when Jira cannot be asked: the pages before are kept.
    """
    tracker, jql = workspace.jira, import_query(workspace, projects, since)
    name = f"jira_import {digest_of([tracker.settings.base_url, jql])[:32]}"
    mark, before = (None, 0) if anew else _mark(workspace, name)
    result = Imported(went_on_after=before)
    try:
        _read(workspace, jql, mark, name, result, progress)
    except InvalidInputError:
        if mark is None:
            raise
        result = Imported()  # the mark was forgotten: from the beginning, which costs time only
        _read(workspace, jql, None, name, result, progress)
    return result


def _read(workspace: "Workspace", jql: str, mark: str | None, name: str, result: Imported, progress: Progress) -> None:
    total, read = count(workspace.jira, jql), result.went_on_after
    for page in pages(workspace.jira, jql, start=mark):
        incidents, refused = incidents_of(page.issues, page.names, datetime.now(UTC))
        for outcome in workspace.store.upsert(incidents):
            result.imported += outcome == "imported"
            result.updated += outcome == "updated"
            result.unchanged += outcome in ("unchanged", "stale")
        room = KEPT_REFUSALS - len(result.refused)
        result.refused.update(list(refused.items())[:room])
        read += len(page.issues)
        with workspace.database.write() as connection:
            remember_fact(connection, name, {"mark": page.next, "read": read, "at": time.time()})
        progress("reading", read, total)


def _mark(workspace: "Workspace", name: str) -> tuple[str | None, int]:
    """Where an earlier import stopped, and how much it had read; nothing where it came to its end, or too long ago."""
    with workspace.database.read() as connection:
        found = recall_fact(connection, name)
    if not isinstance(found, dict) or not found.get("mark") or time.time() - found["at"] > MARK_SECONDS:
        return None, 0
    return str(found["mark"]), int(found["read"])


def backfill(
    workspace: "Workspace", projects: Sequence[str], since: datetime, progress: Progress, limit: int | None = None
) -> Backfilled:
    """Triage the issues filed or changed since then, as if their webhooks had come: each up to the checkpoint."""
    issues, result, seen = JiraIssues(workspace.jira), Backfilled(), 0
    for project in projects or workspace.jira.settings.projects:
        for number in issues.changed_since(project, since):
            if limit is not None and seen >= limit:
                return result
            seen += 1
            try:
                report = issues.issue(number)
                if report is None:
                    continue
                options = {"k": CANDIDATES, "remember": True}
                done = handle(workspace, received_of(report), options=options, source=SOURCE)
            except InvalidInputError as error:
                result.failed[number] = str(error)
                continue
            if done.triage is None:
                result.failed[report.id] = done.account.error or "It has no verdict."
            elif done.account.fresh:
                result.triaged += 1
            else:
                result.known += 1
            progress("triaging", seen, None)
    return result


def planned_requests(workspace: "Workspace", name: str) -> list[Shown]:
    """What approving a waiting review would send to Jira, exactly, as the issue is now. Raises NotFoundError."""
    review, _ = reviewed(workspace, name)
    found: list[Shown] = []
    for body in review.shown.get("actions") or ():
        action = Action.model_validate(body)
        try:
            writes = workspace.jira.requests(action, "dry run")
        except QAAgentsError as error:
            found.append(Shown(action=describe(action), error=str(error)))
            continue
        sent = [{"method": write.method, "path": write.path, "body": write.body} for write in writes]
        found.append(Shown(action=describe(action), requests=sent))
    return found
