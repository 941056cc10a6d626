"""Walking through a site's issues: page after page by query, with a mark to go on from after an interruption."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from qa_agents.errors import InvalidInputError
from qa_agents.trackers.jira import API, JiraTracker
from qa_agents.trackers.jira_http import Params
from qa_agents.trackers.jira_json import Json, items, table, text, whole

PAGE = 100


class Page(NamedTuple):
    """Some issues as Jira gives them."""

    issues: Sequence[Json]
    names: Mapping[str, str]
    """Field ids to the names people see."""
    next: str | None
    """The mark of the next page; None when this is the last. On Cloud it is good for seven days."""


def pages(tracker: JiraTracker, jql: str, fields: str = "*all", start: str | None = None) -> Iterator[Page]:
    """The pages of a bounded query, from the mark `start` on. Raises InvalidInputError for what Jira does not understand.

    Search is some seconds to minutes behind the issues; nothing that decides about a write may rest on it.
    """
    mark = start
    while True:
        page = _page_on_cloud(tracker, jql, fields, mark) if _is_cloud(tracker) else _page(tracker, jql, fields, mark)
        yield page
        if page.next is None or page.next == mark:
            return
        mark = page.next


def count(tracker: JiraTracker, jql: str) -> int | None:
    """About how many issues a query means; None where Jira does not say."""
    if _is_cloud(tracker):
        return whole(tracker.http.search(f"{API}/search/approximate-count", {"jql": jql}), "count")
    return whole(tracker.http.read(f"{API}/search", {"jql": jql, "fields": "summary", "maxResults": 1}), "total")


def query(projects: Sequence[str], field: str, since: datetime | None, now: datetime | None = None) -> str:
    """JQL for the projects' issues whose `field` (created, updated) lies at or after `since`, oldest first.

    JQL reads a date in the time zone of the account's profile. Hence the moment is written as so many minutes before `now`;
    without `now`, as the day before, so that the query is the same tomorrow and leaves nothing out.
    """
    if not projects:
        raise InvalidInputError("No project is named.", hint="Set `jira.projects` or give --project.")
    for project in projects:
        if not project.replace("_", "").isalnum() or not project.isascii():
            raise InvalidInputError(f"{project[:60]!r} is no project key.", hint="It looks like PAY.")
    quoted = ", ".join(f'"{project}"' for project in projects)
    clauses = [f"project in ({quoted})"]
    if since is not None and now is None:
        clauses.append(f'{field} >= "{since.astimezone(UTC) - timedelta(days=1):%Y-%m-%d}"')
    elif since is not None and now is not None:
        minutes = max(1, int((now - since.astimezone(UTC)).total_seconds() // 60) + 1)
        clauses.append(f"{field} >= -{minutes}m")
    return f"{' AND '.join(clauses)} ORDER BY {field} ASC"


def _is_cloud(tracker: JiraTracker) -> bool:
    return tracker.settings.deployment == "cloud"


def _page_on_cloud(tracker: JiraTracker, jql: str, fields: str, mark: str | None) -> Page:
    body: dict[str, Json] = {"jql": jql, "fields": fields.split(","), "maxResults": PAGE, "expand": "names"}
    answer = tracker.http.search(f"{API}/search/jql", body | ({"nextPageToken": mark} if mark else {}))
    return Page(items(answer, "issues"), _names(answer), text(answer, "nextPageToken"))


def _page(tracker: JiraTracker, jql: str, fields: str, mark: str | None) -> Page:
    start = int(mark or 0)
    params: Params = {"jql": jql, "fields": fields, "startAt": start, "maxResults": PAGE, "expand": "names"}
    answer = tracker.http.read(f"{API}/search", params)
    found = items(answer, "issues")
    after = start + len(found)
    more = bool(found) and after < (whole(answer, "total") or 0)
    return Page(found, _names(answer), str(after) if more else None)


def _names(answer: Json) -> dict[str, str]:
    return {key: name for key in table(answer, "names") if (name := text(answer, "names", key))}
