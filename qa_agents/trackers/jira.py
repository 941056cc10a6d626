"""Jira behind the Tracker protocol: Cloud and Data Center, REST v2, every change exactly once however often its answer is lost.

A change carries its own mark (an issue or comment property) in the same request. It is sent once; when the answer is lost or
says "later", the issue is read again and the change repeated only where its mark is absent.
"""

import re
import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote

from qa_agents.errors import ConflictError, InvalidInputError, NotFoundError, UnavailableError
from qa_agents.settings import JiraSettings
from qa_agents.storage.canonical import digest_of
from qa_agents.trackers.changes import ISSUE_PARTS
from qa_agents.trackers.jira_challenges import challengeable
from qa_agents.trackers.jira_fields import FieldMap, account_of, meta_by_id, shown_value
from qa_agents.trackers.jira_http import JiraHttp, Params, TryAgainError
from qa_agents.trackers.jira_issue import BORN, MAX_COMMENTS, PREFIX, Snapshot, snapshot
from qa_agents.trackers.jira_json import Json, at, items, table, text, whole
from qa_agents.trackers.jira_notes import Created, MemoryNotes, Notes
from qa_agents.trackers.jira_plan import Planner, was_made
from qa_agents.trackers.jira_requests import Plan, Write
from qa_agents.trackers.schema import Action, Applied, Issue

API = "/rest/api/2"
KEY = re.compile(r"[A-Z][A-Z0-9_]{1,40}-[0-9]{1,10}")
BORN_MARK = f"{PREFIX}created"
COMMENT_PAGE = 100
MAX_NAMED = 20
"""Issue keys in one comment that are looked at; more are refused."""
COLLISIONS = 3
"""How often a change may meet another at the same time before it is given back."""


class JiraTracker:
    """One site. Safe to repeat, from several processes, as long as one at a time works on an issue (the outbox sees to it)."""

    name = "jira"

    def __init__(
        self,
        settings: JiraSettings,
        notes: Notes | None = None,
        *,
        http: JiraHttp | None = None,
        sleep: Callable[[float], None] = time.sleep,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.settings = settings
        self.http = http or JiraHttp(settings)
        self.fields = FieldMap(settings)
        self._notes = notes or MemoryNotes()
        self._sleep, self._now = sleep, now
        self._planner = Planner(settings, self.fields, self)
        self._wordings: Mapping[str, str] = {}

    def get(self, key: str) -> Issue | None:
        """The issue as it is now, or None where there is none that this account may see. Raises UnavailableError."""
        found = self._load(key)
        if found is None:
            return None
        return found.issue(key).model_copy(update={"challengeable": challengeable(found)})

    def was_applied(self, key: str, idempotency_key: str) -> bool:
        """Whether the change's mark is on the issue."""
        found = self._load(key)
        return found is not None and (
            was_made(found, idempotency_key) or table(found.marks, BORN_MARK).get("op") == idempotency_key
        )

    def apply(self, action: Action, idempotency_key: str) -> Applied:
        """Make the change once. Raises what the protocol says; InvalidInputError for what this Jira does not take."""
        attempts = collisions = 0

        def attempt() -> Applied:
            nonlocal attempts, collisions
            attempts += 1
            try:
                applied = self._attempt(action, idempotency_key)
            except TryAgainError as error:
                collisions += error.status == 409
                if collisions >= COLLISIONS:
                    raise ConflictError(f"{action.target} was being changed by somebody else.") from None
                raise
            return applied if attempts == 1 else applied.model_copy(update={"already_there": False})

        return self.http.patiently(attempt)

    def requests(self, action: Action, idempotency_key: str = "dry run") -> list[Write]:
        """The exact requests that `apply` would send now; nothing is written."""
        now = self._load(action.target)
        if now is None:
            return [self._creation(action, idempotency_key)] if action.kind == "create_issue" else []
        plan = self._planned(action, now, idempotency_key)
        return plan.writes if isinstance(plan, Plan) else []

    def _attempt(self, action: Action, op: str) -> Applied:
        now = self._load(action.target)
        if action.kind == "create_issue":
            return self._create(action, op, now)
        if now is None:
            raise NotFoundError(f"The issue {action.target} is not in Jira, or not for this account.")
        plan = self._planned(action, now, op)
        if isinstance(plan, Applied):
            return plan
        *marks, change = plan.writes
        for mark in marks:
            self.http.patiently(lambda mark=mark: self._send(mark, now.id))  # type: ignore[misc]
        return plan.settled(self._send(change, now.id))

    def _planned(self, action: Action, now: Snapshot, op: str) -> Plan | Applied:
        if action.kind == "add_comment":
            self._refuse_restricted(str(action.params["text"]), now)
        return self._planner.plan(action, now, op)

    def _send(self, write: Write, issue: str) -> Json:
        return self.http.ask(write.method, write.path, body=write.body, issue=issue)

    def _load(self, target: str) -> Snapshot | None:
        reference = self._reference(target)
        if reference is None:
            return None
        path = f"{API}/issue/{quote(reference, safe='')}"
        try:
            answer = self.http.read(path, {"fields": self.fields.asked(), "properties": "*all"})
            return snapshot(answer, self.comments(path), self.fields, self.settings)
        except NotFoundError:
            return None

    def comments(self, path: str) -> list[Json]:
        """The newest comments of the issue at this path, MAX_COMMENTS at most, as Jira gives them, with their properties."""
        found: list[Json] = []
        while len(found) < MAX_COMMENTS:
            params: Params = {
                "expand": "properties", "orderBy": "-created", "startAt": len(found), "maxResults": COMMENT_PAGE
            }  # fmt: skip
            page = self.http.read(f"{path}/comment", params)
            some = items(page, "comments")
            found.extend(some)
            if not some or len(found) >= (whole(page, "total") or 0):
                break
        return found

    def _reference(self, target: str) -> str | None:
        """What to ask Jira for: the issue created for this report, else the key itself; None when it can be neither."""
        noted = self._notes.recall(target)
        if noted is not None and noted.issue_id is not None:
            return noted.issue_id
        if noted is None and KEY.fullmatch(target):
            return target
        found = self._born(target)
        if found is not None:
            self._notes.note(target, Created(tried_at=self._now(), issue_id=found))
        elif KEY.fullmatch(target):
            return target
        return found

    def _born(self, target: str) -> str | None:
        """The issue labelled as created for this report, as far as Jira's index knows by now."""
        project = self.settings.projects[0] if self.settings.projects else None
        if project is None:
            return None
        jql = f'project = "{project}" AND labels = "{_born_label(target)}"'
        if self.settings.deployment == "cloud":
            body: Json = {"jql": jql, "fields": ["labels"], "maxResults": 2}
            page = self.http.search(f"{API}/search/jql", body)
        else:
            page = self.http.read(f"{API}/search", {"jql": jql, "fields": "labels", "maxResults": 2})
        return next((number for issue in items(page, "issues") if (number := text(issue, "id"))), None)

    def _create(self, action: Action, op: str, now: Snapshot | None) -> Applied:
        if now is not None:
            if table(now.marks, BORN_MARK).get("op") == op:
                return _created(action, now).model_copy(update={"already_there": True})
            raise ConflictError(f"The issue {action.target} exists already.")
        noted = self._notes.recall(action.target)
        if noted is not None:  # tried before, and its answer was lost: only the index can tell, and it lags
            self._sleep(max(0.0, noted.tried_at + self.settings.index_seconds - self._now()))
            if (found := self._load(action.target)) is not None:
                return self._create(action, op, found)
        write = self._creation(action, op)
        self._notes.note(action.target, Created(tried_at=self._now()))
        try:
            made = text(self._send(write, action.target), "id")
        except (InvalidInputError, ConflictError, NotFoundError, TryAgainError) as error:
            if not isinstance(error, TryAgainError) or error.refused:  # nothing was created, so nothing to wait for
                self._notes.note(action.target, Created(tried_at=0.0))
            raise
        if made is None:
            raise TryAgainError("Jira created an issue and did not say which.")
        self._notes.note(action.target, Created(tried_at=self._now(), issue_id=made))
        if (now := self._load(action.target)) is None:
            raise UnavailableError(f"The new issue for {action.target} cannot be read back.")
        return _created(action, now)

    def _creation(self, action: Action, op: str) -> Write:
        if not self.settings.projects:
            raise InvalidInputError("No project is named for new issues.", hint="Set `jira.projects`.")
        project = self.settings.projects[0]
        meta_path = f"{API}/issue/createmeta/{quote(project, safe='')}/issuetypes"
        types = self.http.read(meta_path)
        known = items(types, "issueTypes") or items(types, "values")
        kind = next((text(t, "id") for t in known if (text(t, "name") or "") == self.settings.issue_type), None)
        if kind is None:
            raise InvalidInputError(
                f"{project} has no issue type {self.settings.issue_type} that this account may create.",
                hint="Set `jira.issue_type`.",
            )
        page = self.http.read(f"{meta_path}/{quote(kind, safe='')}", {"maxResults": 200})
        metas = meta_by_id(page, "fields") or meta_by_id(page, "values")
        fields: dict[str, Json] = {
            "project": {"key": project},
            "issuetype": {"id": kind},
            "labels": [_born_label(action.target)],
        }
        given: Mapping[str, Any] = action.params["fields"]
        about = [f"{name}: {given[name]}" for name in ("product", "version", "platform") if given.get(name)]
        for name, value in {**given, "environment": "\n".join(about)}.items():
            field = self.fields.ids.get(name)
            if name in ("summary", "description", "environment") and field in metas and value:
                fields[field] = self.fields.encoded(name, value, metas[field])[0]
        mark: Json = {"key": BORN_MARK, "value": {"v": 1, "op": op}}
        return Write("POST", f"{API}/issue", {"fields": fields, "properties": [mark]})

    def _refuse_restricted(self, words: str, now: Snapshot) -> None:
        """An issue that not everybody may see is not named where more people read. Raises ConflictError."""
        named = sorted(set(KEY.findall(words)) - {now.key})
        if len(named) > MAX_NAMED:
            raise InvalidInputError(f"The comment names more than {MAX_NAMED} issues.")
        ours = {*self.settings.projects, now.key.rpartition("-")[0]}
        level = shown_value(now.raw.get("security"))
        for key in named:
            try:
                found = self.http.read(f"{API}/issue/{key}", {"fields": "security"})
            except NotFoundError:
                hidden = key.rpartition("-")[0] in ours
            else:
                theirs = shown_value(at(found, "fields", "security"))
                hidden = theirs is not None and theirs != level
            if hidden:
                raise ConflictError("The comment names an issue that not everybody may see; it is not written.")

    # What planning asks the site

    def edit_meta(self, issue_id: str) -> Mapping[str, Json]:
        """The fields that may be edited on the issue, by id."""
        return table(self.http.read(f"{API}/issue/{issue_id}/editmeta"), "fields")

    def moves(self, issue_id: str) -> list[Json]:
        """The transitions that are possible now."""
        return list(items(self.http.read(f"{API}/issue/{issue_id}/transitions"), "transitions"))

    def account(self, issue_key: str, name: str) -> tuple[str, str]:
        """(account id, shown name) of the one assignable person called so. Raises InvalidInputError for none or several."""
        asked = "query" if self.settings.deployment == "cloud" else "username"
        found = self.http.read(f"{API}/user/assignable/search", {"issueKey": issue_key, asked: name, "maxResults": 50})
        people = found if isinstance(found, list) else []
        same = [p for p in people if name in (text(p, "accountId"), text(p, "name"), text(p, "displayName"))]
        account = account_of(same[0]) if len(same) == 1 else None
        if account is None:
            raise InvalidInputError(f"{len(same)} people called {name[:60]} can be assigned.", hint="Name one exactly.")
        return account, str(shown_value(same[0]))

    def linked(self, target: str) -> str:
        """The key of the issue to link with. Raises InvalidInputError when it is none of this Jira."""
        reference = self._reference(target)
        try:
            if reference is not None:
                found = self.http.read(f"{API}/issue/{quote(reference, safe='')}", {"fields": "summary"})
                return text(found, "key") or reference
        except NotFoundError:
            pass
        raise InvalidInputError(f"{target[:80]} is no issue of this Jira that could be linked.")

    def wordings(self) -> Mapping[str, str]:
        """The site's link types: name to the wording towards the object (asked once)."""
        if not self._wordings:
            types = items(self.http.read(f"{API}/issueLinkType"), "issueLinkTypes")
            self._wordings = {name: text(t, "outward") or name for t in types if (name := text(t, "name"))}
        return self._wordings


def _born_label(target: str) -> str:
    return f"{BORN}{digest_of(target)[:16]}"


def _created(action: Action, now: Snapshot) -> Applied:
    after = {"issue": {name: now.view[name] for name in ISSUE_PARTS}}
    inverse = Action(kind="withdraw_issue", target=action.target, params={"expect": digest_of(after)}, because="undo")
    return Applied(after=after, inverse=inverse)
