"""What the stand-in holds and how it changes: issues, comments, links, labels, properties, status. No HTTP here."""

import itertools
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from threading import RLock
from typing import Any

Json = Any
ME = "bot"
PERMISSIONS = (
    "BROWSE_PROJECTS", "CREATE_ISSUES", "EDIT_ISSUES", "ADD_COMMENTS", "EDIT_OWN_COMMENTS", "LINK_ISSUES", "TRANSITION_ISSUES",
)  # fmt: skip
LINK_TYPES = (
    ("10000", "Blocks", "is blocked by", "blocks"),
    ("10001", "Cloners", "is cloned by", "clones"),
    ("10002", "Duplicate", "is duplicated by", "duplicates"),
    ("10003", "Relates", "relates to", "relates to"),
)
STATUSES = {"To Do": "new", "In Progress": "indeterminate", "Done": "done"}
SEVERITY = "customfield_10045"
OPTIONS = {
    "priority": ["Highest", "High", "Medium", "Low"],
    "components": ["Billing", "Calendar", "Search", "A", "C0", "C1", "C2", "a person's own"],
    SEVERITY: ["Critical", "Major", "Minor", "Trivial"],
    "versions": ["1.0", "2.0"],
}
WRITES_IN_TWO_SECONDS = 20


class RefusalError(Exception):
    """An answer that is no success: status, the sentences of the error collection, more headers."""

    def __init__(self, status: int, *messages: str, headers: dict[str, str] | None = None, **errors: str) -> None:
        super().__init__(f"{status} {messages} {errors}")
        self.status, self.messages, self.errors, self.headers = status, list(messages), errors, headers or {}


@dataclass
class FakeIssue:
    """One issue. `fields` holds texts, option names and lists of them, not Jira's objects."""

    id: str
    key: str
    fields: dict[str, Any]
    created: float
    updated: float
    reporter: str = "mia"
    comments: list[dict[str, Any]] = field(default_factory=list)
    properties: dict[str, Any] = field(default_factory=dict)
    indexed: bool = False


class FakeSite:
    """The state, under one lock. `clock` gives seconds since the epoch; what is searched for is `index_lag` seconds old."""

    def __init__(self, *, cloud: bool = True, project: str = "PAY", clock: Callable[[], float] = time.time) -> None:
        self.cloud, self.project, self.clock = cloud, project, clock
        self.lock = RLock()
        self.issues: dict[str, FakeIssue] = {}
        self.links: dict[str, tuple[str, str, str]] = {}
        """Link id to (type name, inward issue id, outward issue id)."""
        self.denied: set[str] = set()
        self.hidden: set[str] = set()
        self.index_lag = 0.0
        self.max_comments = 5_000
        self.service_desk = False
        self._ids = itertools.count(10_100)
        self._numbers = itertools.count(101)
        self._writes: dict[str, list[float]] = {}
        self.people = {
            "bot": "QA Agents",
            "mia": "Mia Reporter",
            "ada": "Ada Lovelace",
            "ada2": "Ada Twin",
            "twin": "Ada Twin",
        }

    def issue(self, reference: str) -> FakeIssue:
        """By id or key; 404 where it is hidden or missing."""
        for issue in self.issues.values():
            if reference in (issue.id, issue.key) and issue.key not in self.hidden:
                return issue
        raise RefusalError(404, "Issue does not exist or you do not have permission to see it.")

    def add(self, key: str | None = None, *, reporter: str = "mia", **fields: Any) -> FakeIssue:
        """An issue as a person files it."""
        with self.lock:
            now = self.clock()
            known = {"summary": "A report", "issuetype": "Bug", "priority": "Medium", "status": "To Do", "labels": []}
            number = key or f"{self.project}-{next(self._numbers)}"
            issue = FakeIssue(str(next(self._ids)), number, known | fields, now, now, reporter)
            self.issues[issue.id] = issue
            return issue

    def require(self, permission: str) -> None:
        """403 unless this account may do it."""
        if permission in self.denied:
            raise RefusalError(403, f"You do not have the permission {permission}.")

    def count_write(self, issue: FakeIssue) -> None:
        """The limit of Jira Cloud: 20 writes to one issue in 2 seconds."""
        now = self.clock()
        recent = [at for at in self._writes.get(issue.id, []) if at > now - 2.0]
        if len(recent) >= WRITES_IN_TWO_SECONDS:
            headers = {"Retry-After": "1", "RateLimit-Reason": "jira-per-issue-on-write"}
            raise RefusalError(429, "Rate limit exceeded.", headers=headers)
        self._writes[issue.id] = [*recent, now]

    def touched(self, issue: FakeIssue) -> None:
        """It changed now."""
        issue.updated = self.clock()

    def created_issue(self, body: Json) -> FakeIssue:
        """POST issue."""
        self.require("CREATE_ISSUES")
        given = body["fields"]
        if given.get("project", {}).get("key") != self.project:
            raise RefusalError(400, project="valid project is required")
        if not str(given.get("summary", "")).strip() or "\n" in given["summary"] or len(given["summary"]) > 255:
            raise RefusalError(400, summary="The summary is invalid.")
        fields = {name: self.decoded(name, value) for name, value in given.items() if name != "project"}
        issue = self.add(reporter=ME, **{name: value for name, value in fields.items() if value is not None})
        self.set_properties(issue.properties, body)
        return issue

    def edit(self, issue: FakeIssue, body: Json) -> None:
        """PUT issue: fields, label steps and properties together, all or nothing."""
        self.require("EDIT_ISSUES")
        changed = {name: self.decoded(name, value) for name, value in body.get("fields", {}).items()}
        if "summary" in changed and not changed["summary"]:
            raise RefusalError(400, summary="You must specify a summary of the issue.")
        labels = list(issue.fields["labels"])
        for step in body.get("update", {}).get("labels", []):
            ((verb, label),) = step.items()
            if not label or any(c.isspace() for c in label):
                raise RefusalError(400, labels="The label contains spaces which is invalid.")
            if verb == "add" and label not in labels:
                labels.append(label)
            elif verb == "remove" and label in labels:
                labels.remove(label)
            elif verb not in ("add", "remove"):
                raise RefusalError(400, labels=f"the operation {verb} is not served")
        issue.fields.update(changed)
        issue.fields["labels"] = sorted(labels)
        self.set_properties(issue.properties, body)
        self.touched(issue)

    def set_properties(self, held: dict[str, Any], body: Json) -> None:
        """The `properties` of a body, in the same step as the rest of it."""
        for entry in body.get("properties", []):
            if len(entry["key"]) > 255 or len(str(entry["value"])) > 32_768:
                raise RefusalError(400, "The property is too long.")
            held[entry["key"]] = entry["value"]

    def decoded(self, name: str, value: Json) -> Any:
        """From Jira's form to a name; 400 for what the field does not take."""
        if name == "issuetype":
            return "Bug" if value in ({"id": "10004"}, {"name": "Bug"}) else self._bad(name)
        if name in OPTIONS:
            if isinstance(value, list):
                return [self._option(name, one) for one in value]
            return None if value is None else self._option(name, value)
        if name == "assignee":
            known = None if value is None else value.get("accountId" if self.cloud else "name")
            return known if known is None or known in self.people else self._bad(name)
        if name in ("summary", "description", "environment", "labels") or name.startswith("customfield_"):
            if isinstance(value, str) and len(value) > 32_767:
                raise RefusalError(400, **{name: "The entered text is too long."})
            return value
        return self._bad(name)

    def _option(self, name: str, value: Json) -> str:
        for number, option in self.options(name):
            if value.get("id") == number or option in (value.get("value"), value.get("name")):
                return option
        return str(self._bad(name))

    def options(self, name: str) -> Iterator[tuple[str, str]]:
        """(id, name) of what a field allows."""
        base = 20_000 + 100 * sorted(OPTIONS).index(name)
        return ((str(base + number), option) for number, option in enumerate(OPTIONS[name]))

    @staticmethod
    def _bad(name: str) -> Any:
        raise RefusalError(
            400, **{name: f"Field '{name}' cannot be set. It is not on the appropriate screen, or unknown."}
        )

    def comment(self, issue: FakeIssue, body: Json, number: str | None = None) -> dict[str, Any]:
        """A new comment, or another text for one."""
        self.require("ADD_COMMENTS" if number is None else "EDIT_OWN_COMMENTS")
        words = body.get("body")
        if not words or (isinstance(words, str) and (not words.strip() or len(words) > 32_767)):
            raise RefusalError(400, comment="Comment body can not be empty!")
        if number is None and len(issue.comments) >= self.max_comments:
            raise RefusalError(413, "The issue has reached its limit of comments.")
        now = self.clock()
        if number is None:
            comment: dict[str, Any] = {"id": str(next(self._ids)), "author": ME, "created": now, "properties": {}}
            issue.comments.append(comment)
        else:
            comment = self.find_comment(issue, number)
        comment |= {"body": words, "updated": now, "visibility": body.get("visibility"), "update_author": ME}
        self.set_properties(comment["properties"], body)
        self.touched(issue)
        return comment

    def find_comment(self, issue: FakeIssue, number: str) -> dict[str, Any]:
        """By id, or 404."""
        found = next((comment for comment in issue.comments if comment["id"] == number), None)
        if found is None:
            raise RefusalError(404, f"Can not find a comment for the id: {number}.")
        return found

    def link(self, body: Json) -> None:
        """Twice the same is answered as created and held once."""
        self.require("LINK_ISSUES")
        name = next(
            (t[1] for t in LINK_TYPES if body["type"].get("name") in (t[1],) or body["type"].get("id") == t[0]), None
        )
        if name is None:
            raise RefusalError(404, "No issue link type with this name found.")
        inward, outward = (
            self.issue(body[side].get("id") or body[side]["key"]) for side in ("inwardIssue", "outwardIssue")
        )
        entry = (name, inward.id, outward.id)
        if entry not in self.links.values():
            self.links[str(next(self._ids))] = entry
            self.touched(inward)
            self.touched(outward)

    def moves(self, issue: FakeIssue) -> list[tuple[str, str]]:
        """(transition id, status) that are possible now."""
        return [(str(11 + 10 * n), name) for n, name in enumerate(STATUSES) if name != issue.fields["status"]]

    def move(self, issue: FakeIssue, body: Json) -> None:
        """POST transitions."""
        self.require("TRANSITION_ISSUES")
        wanted = dict(self.moves(issue)).get(body["transition"]["id"])
        if wanted is None:
            raise RefusalError(400, "It seems that you have tried to perform a workflow operation that is not valid.")
        issue.fields["status"] = wanted
        self.set_properties(issue.properties, body)
        self.touched(issue)

    def indexed(self) -> list[FakeIssue]:
        """What search sees: issues whose last change is old enough, or that were indexed before it."""
        for issue in self.issues.values():
            issue.indexed = issue.indexed or issue.updated <= self.clock() - self.index_lag
        return [issue for issue in self.issues.values() if issue.indexed and issue.key not in self.hidden]


def moment(at: float) -> str:
    """A moment as Jira writes it, which RFC 3339 would not."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{int(at * 1000) % 1000:03d}+0000"
