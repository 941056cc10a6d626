"""Jira as a worker reads it again: what people reported, without anything that our own writes change."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime

from qa_agents.errors import InvalidInputError, NotFoundError
from qa_agents.incidents.importers.jira_json import issue_record
from qa_agents.incidents.importers.rows import incident_of
from qa_agents.incidents.importers.strict_json import RowError
from qa_agents.incidents.schema import Incident, Report
from qa_agents.storage.canonical import digest_of
from qa_agents.trackers.jira import API, KEY, JiraTracker
from qa_agents.trackers.jira_fields import account_of
from qa_agents.trackers.jira_import import pages, query
from qa_agents.trackers.jira_issue import BORN, PREFIX, mark_of
from qa_agents.trackers.jira_json import Json, at, items, table, text
from qa_agents.trackers.jira_text import plain

READ = "summary,description,environment,project,created,versions,labels,reporter,comment,security,issuetype,status"
KEPT = ("id", "summary", "description", "created", "product", "version", "reporter", "environment", "security")
MAX_ADDED = 50
"""Comments of the reporter that are read beside the description: the newest."""


class JiraIssues:
    """The IssueSource of one site."""

    def __init__(self, tracker: JiraTracker) -> None:
        self._tracker = tracker

    def issue(self, id: str) -> Report | None:
        """The issue as a report: description, and what the reporter added in public comments since (answers, mostly)."""
        if not (KEY.fullmatch(id) or (id.isascii() and id.isdigit())):
            return None  # nothing else can name an issue, and nothing else is put into an address
        path = f"{API}/issue/{id}"
        try:
            found = self._tracker.http.read(path, {"fields": READ, "properties": "*all"})
            comments = self._tracker.comments(path)
        except NotFoundError:
            return None
        return report_of(found, comments)

    def changed_since(self, project: str, moment: datetime) -> Iterator[str]:
        """Ids of the issues of a project that were changed at or after `moment`, oldest change first."""
        jql = query([project], "updated", moment, datetime.now(UTC))
        for page in pages(self._tracker, jql, fields="updated"):
            yield from (number for issue in page.issues if (number := text(issue, "id")))

    def account_id(self) -> str | None:
        """The account that our own writes appear under."""
        return account_of(self._tracker.http.read(f"{API}/myself"))


def report_of(issue: Json, comments: Sequence[Json]) -> Report:
    """A report from an issue with all its properties. Raises InvalidInputError with the reason it cannot be one."""
    fields = table(issue, "fields")
    try:
        record = issue_record(dict(table(issue)), {})
        incident = incident_of({name: record[name] for name in KEPT if name in record}, datetime.now(UTC))
    except RowError as problem:
        raise InvalidInputError(f"The issue {text(issue, 'key') or ''} {problem}.") from None
    reporter = account_of(fields.get("reporter"))
    in_order = sorted(comments, key=lambda one: text(one, "created") or "")
    added = [plain(at(one, "body")) for one in in_order if reporter and _is_theirs(one, reporter)][-MAX_ADDED:]
    whole = "\n\n".join([incident.description, *(f"The reporter added:\n{words}" for words in added if words.strip())])
    labels = [str(label) for label in items(fields, "labels") if not _is_ours(str(label), table(issue, "properties"))]
    kept = incident.model_dump(include=set(KEPT))
    return Report.model_validate(kept | {"description": whole.strip("\n"), "labels": sorted(labels)})


def incidents_of(
    issues: Sequence[Json], names: Mapping[str, str], now: datetime
) -> tuple[list[Incident], dict[str, str]]:
    """What can be remembered of a page of issues, and key to reason of what cannot."""
    found: dict[str, Incident] = {}
    refused: dict[str, str] = {}
    for issue in issues:
        try:
            incident = incident_of(issue_record(dict(table(issue)), names), now)
            found[incident.id] = incident
        except RowError as problem:
            refused[text(issue, "key") or "?"] = str(problem)
    return list(found.values()), refused


def _is_theirs(comment: Json, reporter: str) -> bool:
    hidden = at(comment, "visibility") is not None or at(comment, "jsdPublic") is False
    return account_of(at(comment, "author")) == reporter and not hidden and not mark_of(comment)


def _is_ours(label: str, marks: Mapping[str, Json]) -> bool:
    mark = table(marks, f"{PREFIX}label.{digest_of(label)[:16]}")
    return label.startswith(BORN) or (bool(mark) and mark.get("had") is not True)
