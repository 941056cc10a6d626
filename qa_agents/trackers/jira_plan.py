"""From an issue as it is and an action to the exact requests, with the marks that show later that they were made."""

import copy
from collections.abc import Mapping
from typing import Any, Protocol

from qa_agents.errors import ConflictError, InvalidInputError
from qa_agents.settings import JiraSettings
from qa_agents.storage.canonical import digest_of
from qa_agents.trackers.changes import ISSUE_PARTS, WITHDRAWN_LABEL, change
from qa_agents.trackers.jira_challenges import record_challenge
from qa_agents.trackers.jira_comments import CommentPlanner
from qa_agents.trackers.jira_fields import FieldMap
from qa_agents.trackers.jira_issue import PREFIX, Snapshot, mark_of, relation_of
from qa_agents.trackers.jira_json import Json, at, items, table, text
from qa_agents.trackers.jira_requests import MAX_BEFORE_CHARS, Plan, Write, again, unconditional
from qa_agents.trackers.schema import Action, Applied


class Site(Protocol):
    """What planning has to ask the site."""

    def edit_meta(self, issue_id: str) -> Mapping[str, Json]:
        """The fields that may be edited on the issue, by id."""
        ...

    def moves(self, issue_id: str) -> list[Json]:
        """The transitions that are possible now."""
        ...

    def account(self, issue_key: str, name: str) -> tuple[str, str]:
        """(account id, shown name) of the one assignable person called so. Raises InvalidInputError."""
        ...

    def linked(self, target: str) -> str:
        """The key of the issue to link with. Raises InvalidInputError."""
        ...

    def wordings(self) -> Mapping[str, str]:
        """The site's link types: name to the wording towards the object."""
        ...


class Planner:
    """Plans one action on one issue. Nothing is written here."""

    def __init__(self, settings: JiraSettings, fields: FieldMap, site: Site) -> None:
        self._settings, self._fields, self._site = settings, fields, site
        self._comments = CommentPlanner(settings)

    def plan(self, action: Action, now: Snapshot, op: str) -> Plan | Applied:
        """The requests; or what is known already: made before under `op`, or true of the issue without us.

        Raises ConflictError where something else stands there than expected, InvalidInputError for what Jira does not take.
        """
        match action.kind:
            case "set_field" | "clear_field":
                return self._field(action, now, op)
            case "add_label" | "remove_label":
                return self._label(action, now, op)
            case "add_comment" | "remove_comment":
                planned = self._comments.plan(action, now, op)
                new = action.kind == "add_comment" and "id" not in action.params
                return record_challenge(action, now, op, planned) if new and "challenges" in action.params else planned
            case "link_issue" | "unlink_issue":
                return self._link(action, now, op)
            case "withdraw_issue" | "reinstate_issue":
                return self._withdrawal(action, now, op)
            case "create_issue":
                raise ConflictError(f"The issue {action.target} exists already.")

    def _field(self, action: Action, now: Snapshot, op: str) -> Plan | Applied:
        name = action.params["field"]
        mark_key = f"{PREFIX}field.{name}"
        mark = table(now.marks, mark_key)
        if mark.get("op") == op:
            return again(action, _with_field(now.view, name, mark.get("before")), value=mark.get("after"))
        if name == "status":
            return self._move(action, now, op, mark_key)
        field = self._fields.writable(name)
        meta = self._site.edit_meta(now.id).get(field)
        if meta is None:
            raise InvalidInputError(f"The field {name} cannot be edited on {now.key}.", hint="Check the edit screen.")
        wanted = action.params.get("value") if action.kind == "set_field" else None
        shown: Json
        if text(meta, "schema", "type") == "user" and wanted is not None:
            account, person = self._site.account(now.key, str(wanted))
            form, shown = self._fields.encoded(name, account, meta)[0], person
        else:
            form, shown = self._fields.encoded(name, wanted, meta)
        action = (
            action.model_copy(update={"params": {**action.params, "value": shown}}) if wanted is not None else action
        )
        applied = change(action, now.view)[1]
        if applied.inverse is None:
            return applied
        self._leave_to_people(action, now, mark)
        before = now.view["fields"].get(name)
        body = {"fields": {field: form}, "properties": [_mark(mark_key, op, before=before, after=shown)]}
        return Plan([Write("PUT", f"/rest/api/2/issue/{now.id}", body)], lambda _: applied)

    def _leave_to_people(self, action: Action, now: Snapshot, mark: Mapping[str, Json]) -> None:
        """A value is ours as long as it is what our mark says; any other was set by a person, and only a person's decision
        (`by`) or the undoing of our own write (`expect`) may replace it.
        """
        name = action.params["field"]
        value = now.view["fields"].get(name)
        if value is None or "by" in action.params or "expect" in action.params or mark.get("after") == value:
            return
        raise ConflictError(
            f"{name} of {action.target} was set to {value!s:.60} by a person; it is left as it is.",
            hint="A reviewer who edits the proposal can change it.",
        )

    def _move(self, action: Action, now: Snapshot, op: str, mark_key: str) -> Plan | Applied:
        applied = change(action, now.view)[1]
        if applied.inverse is None:
            return applied
        if not self._settings.transitions:
            raise InvalidInputError("Issues are not moved to another status.", hint="`jira.transitions` allows it.")
        wanted = str(action.params.get("value") or "").casefold()
        for move in self._site.moves(now.id):
            category = text(move, "to", "statusCategory", "key") or ""
            if (text(move, "to", "name") or "").casefold() == wanted and category in self._settings.transitions:
                after = text(move, "to", "name")
                mark = _mark(mark_key, op, before=now.view["fields"].get("status"), after=after)
                body = {"transition": {"id": text(move, "id") or ""}, "properties": [mark]}
                write = Write("POST", f"/rest/api/2/issue/{now.id}/transitions", body)
                moved = action.model_copy(update={"params": {**action.params, "value": after}})
                applied = change(moved, now.view)[1]
                return Plan([write], lambda _, applied=applied: applied)  # type: ignore[misc]
        raise ConflictError(f"{now.key} cannot be moved to {wanted[:60]} from where it is; a person has to.")

    def _label(self, action: Action, now: Snapshot, op: str) -> Plan | Applied:
        label = str(action.params["label"])
        if not label or len(label) > 255 or any(c.isspace() for c in label):
            raise InvalidInputError(f"{label!r:.80} is no label that Jira takes.", hint="It must be one word.")
        mark_key = f"{PREFIX}label.{digest_of(label)[:16]}"
        had = label in now.view["labels"]
        if (mark := table(now.marks, mark_key)).get("op") == op:
            labels = set(now.view["labels"]) | {label} if mark.get("had") else set(now.view["labels"]) - {label}
            return again(action, {**now.view, "labels": sorted(labels)})
        applied = change(action, now.view)[1]
        if applied.inverse is None:
            return applied
        return self._labels(now, {"add" if action.kind == "add_label" else "remove": label}, mark_key, op, had, applied)

    def _labels(
        self, now: Snapshot, step: Mapping[str, str], mark_key: str, op: str, had: bool, applied: Applied
    ) -> Plan:
        body = {"update": {"labels": [dict(step)]}, "properties": [_mark(mark_key, op, had=had)]}
        return Plan([Write("PUT", f"/rest/api/2/issue/{now.id}", body)], lambda _: applied)

    def _withdrawal(self, action: Action, now: Snapshot, op: str) -> Plan | Applied:
        """Only the label moves: a status is a person's to change, and nothing is ever deleted."""
        mark_key, had = f"{PREFIX}withdrawn", WITHDRAWN_LABEL in now.view["labels"]
        want = action.kind == "withdraw_issue" or "at" in action.params
        made = table(now.marks, mark_key).get("op") == op
        start = _with_label(now.view, not want) if made else now.view
        applied = _withdrawn(unconditional(action) if made else action, start, want)
        if made:
            return applied.model_copy(update={"already_there": True})
        if applied.inverse is None:
            return applied
        step = {"add" if want else "remove": WITHDRAWN_LABEL}
        return self._labels(now, step, mark_key, op, had, applied)

    def _link(self, action: Action, now: Snapshot, op: str) -> Plan | Applied:
        relation = str(action.params["relation"])
        wordings = self._site.wordings()
        if action.kind == "unlink_issue":
            return self._unlink(action, now, op)
        name = self._settings.link_types.get(relation) or next((n for n, w in wordings.items() if w == relation), None)
        named = next((n for n in wordings if name is not None and n.casefold() == name.casefold()), None)
        if named is None:
            raise InvalidInputError(f"This Jira has no link type for “{relation[:60]}”.", hint="Set `jira.link_types`.")
        other_key = self._site.linked(str(action.params["to"]))
        said = relation_of(named, self._settings.link_types, wordings[named])
        params = {**action.params, "to": other_key, "relation": said}
        action = action.model_copy(update={"params": params})
        mark_key, there = _link_mark(other_key, said), {"to": other_key, "relation": said} in now.view["links"]
        if there and table(now.marks, mark_key).get("op") == op:
            links = [link for link in now.view["links"] if link != {"to": other_key, "relation": said}]
            return again(action, {**now.view, "links": links})
        applied = change(action, now.view)[1]
        if applied.inverse is None:
            return applied
        # The subject is the inward side: NEW duplicates ORIGINAL. No comment inside: it would be doubled by a repetition.
        body = {"type": {"name": named}, "inwardIssue": {"key": now.key}, "outwardIssue": {"key": other_key}}
        marking = Write("PUT", f"/rest/api/2/issue/{now.id}/properties/{mark_key}", {"v": 1, "op": op, "want": True})
        return Plan([marking, Write("POST", "/rest/api/2/issueLink", body)], lambda _: applied)

    def _unlink(self, action: Action, now: Snapshot, op: str) -> Plan | Applied:
        link = {"to": str(action.params["to"]), "relation": str(action.params["relation"])}
        mark_key = _link_mark(**link)
        if link not in now.view["links"]:
            if table(now.marks, mark_key).get("op") == op:
                return again(action, {**now.view, "links": [*now.view["links"], link]})
            return Applied()
        applied = change(action, now.view)[1]
        marking = Write("PUT", f"/rest/api/2/issue/{now.id}/properties/{mark_key}", {"v": 1, "op": op, "want": False})
        number = now.link_ids[(link["to"], link["relation"])]
        return Plan([marking, Write("DELETE", f"/rest/api/2/issueLink/{number}")], lambda _: applied)


def was_made(now: Snapshot, op: str) -> bool:
    """Whether the change with this key is on the issue: its mark is there, and of a link the link itself too."""
    if any(op in items(mark_of(comment), "ops") for comment in now.comments.values()):
        return True
    links = {_link_mark(**link) for link in now.view["links"]}
    return any(text(mark, "op") == op and at(mark, "want") in (None, name in links) for name, mark in now.marks.items())


def _link_mark(to: str, relation: str) -> str:
    return f"{PREFIX}link.{digest_of([to, relation])[:16]}"


def _mark(key: str, op: str, **more: Json) -> Json:
    kept = {name: value for name, value in more.items() if value is not None and len(str(value)) <= MAX_BEFORE_CHARS}
    return {"key": key, "value": {"v": 1, "op": op, **kept}}


def _with_field(view: dict[str, Any], name: str, value: Json) -> dict[str, Any]:
    fields = {key: held for key, held in view["fields"].items() if key != name}
    return {**view, "fields": fields if value is None else {**fields, name: value}}


def _with_label(view: dict[str, Any], there: bool) -> dict[str, Any]:
    others = {label for label in view["labels"] if label != WITHDRAWN_LABEL}
    return {**view, "labels": sorted(others | {WITHDRAWN_LABEL} if there else others)}


def _withdrawn(action: Action, view: dict[str, Any], want: bool) -> Applied:
    """The label of withdrawal set as wanted, with what would set it back; refused where the issue is not as expected."""
    if (WITHDRAWN_LABEL in view["labels"]) == want:
        return Applied()
    before = {"issue": {name: copy.deepcopy(view[name]) for name in ISSUE_PARTS}}
    after = {"issue": _with_label(before["issue"], want)}
    expected = action.params.get("expect")
    if expected is not None and digest_of(before) != expected:
        raise ConflictError(f"{action.target} was changed since; it is left as it is.")
    back: dict[str, Any] = {"expect": digest_of(after)}
    if not want:
        back["at"] = view["labels"].index(WITHDRAWN_LABEL)
    inverse = Action(kind="reinstate_issue", target=action.target, params=back, because="undo")
    return Applied(before=before, after=after, inverse=inverse)
