"""An epic of a Jira site with its stories, read only."""

from urllib.parse import quote

from qa_agents.errors import InvalidInputError, NotFoundError
from qa_agents.trackers.epics import CRITERIA, MOST_STORIES, Story, checked, document, missing, settled
from qa_agents.trackers.jira import API, JiraTracker
from qa_agents.trackers.jira_fields import shown_value
from qa_agents.trackers.jira_import import pages
from qa_agents.trackers.jira_json import Json, at, items, text, whole
from qa_agents.trackers.jira_markdown import markdown_of

READ = ("summary", "description", "security", "attachment", "comment")


class JiraEpics:
    """The EpicSource of one site. `jira.fields.acceptance_criteria` names the field with acceptance criteria, by its id."""

    def __init__(self, tracker: JiraTracker) -> None:
        self._tracker = tracker
        self._criteria = next((tracker.fields.ids[name] for name in CRITERIA if name in tracker.fields.ids), None)

    def epic(self, key: str, *, restricted: bool = False) -> list[Story]:
        """See EpicSource. Stories are found by search, which is some seconds to minutes behind the issues."""
        fields = ",".join([*READ, *([self._criteria] if self._criteria else [])])
        try:
            found = self._tracker.http.read(f"{API}/issue/{quote(checked(key), safe='')}", {"fields": fields})
        except NotFoundError:
            raise missing(key) from None
        issues = [found, *(child for child in self._children(key, fields) if text(child, "key"))]
        levels = [str(shown_value(at(one, "fields", "security")) or "") for one in issues]
        return settled(
            [(self._story(one), level) for one, level in zip(issues, levels, strict=True)], restricted=restricted
        )

    def _children(self, key: str, fields: str) -> list[Json]:
        """The issues whose parent it is; on Data Center those that its field “Epic Link” names, too where there is one."""
        if self._tracker.settings.deployment == "cloud":
            return self._found(f'parent = "{key}" ORDER BY key ASC', fields)
        try:
            linked = self._found(f'"Epic Link" = "{key}" ORDER BY key ASC', fields)
        except InvalidInputError:  # Jira refuses a query by a field that the site does not have
            linked = []
        known = {text(one, "key") for one in linked}
        below = self._found(f'parent = "{key}" ORDER BY key ASC', fields)
        return [*linked, *(one for one in below if text(one, "key") not in known)]

    def _found(self, jql: str, fields: str) -> list[Json]:
        found: list[Json] = []
        for page in pages(self._tracker, jql, fields=fields):
            found += page.issues
            if len(found) > 2 * MOST_STORIES:
                break
        return found

    def _story(self, issue: Json) -> Story:
        criteria = at(issue, "fields", self._criteria) if self._criteria else None
        words = document(
            text(issue, "fields", "summary") or "",
            markdown_of(at(issue, "fields", "description")),
            markdown_of(criteria) or str(shown_value(criteria) or ""),
        )
        comments = whole(issue, "fields", "comment", "total") or len(items(issue, "fields", "comment", "comments"))
        attached = len(items(issue, "fields", "attachment"))
        notes = [f"{count} {one if count == 1 else many}: not read." for count, one, many in (
            (comments, "comment", "comments"), (attached, "attachment", "attachments"),
        ) if count]  # fmt: skip
        return Story(text(issue, "key") or "", words, notes)
