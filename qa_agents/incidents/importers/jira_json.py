"""Jira's REST search export and single issues: `{"issues": [{"key", "fields": {…}}, …]}`, API versions 2 and 3.

Severity is read from a custom field with "severity" in its name, which Jira gives only with `expand=names`. Without
one an incident has no severity: priority says when something is to be done, not how bad it is, and does not stand in.
"""

import json
import re
from collections.abc import Iterable, Mapping
from itertools import filterfalse
from typing import cast

from qa_agents.incidents.importers.adf import text_of_body
from qa_agents.incidents.importers.jira_fields import (
    Comment,
    LinkKind,
    closing_note,
    is_severity,
    link_kind,
    with_environment,
)
from qa_agents.incidents.importers.moments import parse_moment
from qa_agents.incidents.importers.rows import Record
from qa_agents.incidents.importers.strict_json import RowError

Names = Mapping[str, str]
"""Custom field ids to the names people see."""

_NAMES_KEY = re.compile(rb'(?<!\\)"names"[ \t\r\n]{0,20}:[ \t\r\n]{0,20}\{')
_FLAT_OBJECT = re.compile(rb'\{(?:[^"{}]++|"(?:[^"\\]++|\\.)*+")*+', re.DOTALL)
_MAX_NAMES_BYTES = 2_000_000
_KEPT_CHARS = 4_000
_READ = frozenset({
    "summary", "description", "environment", "project", "components", "priority", "issuetype", "status",
    "resolution", "resolutiondate", "created", "updated", "versions", "labels", "assignee", "reporter",
    "issuelinks", "comment", "security",
})  # fmt: skip
_BOOKKEEPING = frozenset({
    "aggregateprogress", "aggregatetimeestimate", "aggregatetimeoriginalestimate", "aggregatetimespent",
    "attachment", "closedSprints", "creator", "fixVersions", "issuerestriction", "lastViewed", "parent",
    "progress", "sprint", "statusCategory", "statuscategorychangedate", "subtasks", "thumbnail", "timeestimate",
    "timeoriginalestimate", "timespent", "timetracking", "votes", "watches", "worklog", "workratio",
})  # fmt: skip


def is_issue(record: Mapping[str, object]) -> bool:
    """Whether this object is an issue as Jira's REST gives it."""
    return isinstance(record.get("fields"), dict) and ("key" in record or "self" in record)


def issue_record(issue: Record, names: Names) -> Record:
    """An incident's record from one issue; `names` tells custom fields apart.

    Raises RowError when it is not an issue.
    """
    fields = issue.get("fields")
    if not isinstance(fields, dict):
        raise RowError("is not a Jira issue (it has no `fields`)")
    names = {**names, **_texts(issue.get("names"))}
    environment = text_of_body(fields.get("environment")).strip()
    record: Record = {
        "id": issue.get("key"),
        "summary": (_label(fields.get("summary")) or "").strip(),
        "description": with_environment(text_of_body(fields.get("description")), environment),
        "created": fields.get("created"),
        "updated": fields.get("updated"),
        "resolved": fields.get("resolutiondate"),
        "product": _label(_of(fields.get("project"), "key")) or _label(fields.get("project")),
        "components": _labels(fields.get("components")),
        "labels": _labels(fields.get("labels")),
        "version": next(iter(_labels(fields.get("versions"))), None),
        "severity": _severity(fields, names),
        "priority": _label(fields.get("priority")),
        "type": _label(fields.get("issuetype")),
        "status": _label(fields.get("status")),
        "resolution": _label(fields.get("resolution")),
        "assignee": person(fields.get("assignee")),
        "reporter": person(fields.get("reporter")),
        "resolution_note": _note(fields),
        **_links(fields.get("issuelinks")),
    }
    for name, value in (("environment", environment), ("security", _label(fields.get("security")))):
        if value:
            record[name] = value
    return record | _own_fields(fields, names, record)


def person(user: object) -> str | None:
    """One name for one person: the login where the site has logins (unique), else the display name (Cloud)."""
    for name in ("name", "displayName", "accountId", "key"):
        if found := _label(_of(user, name)):
            return found
    return None


def field_names(chunks: Iterable[bytes]) -> dict[str, str]:
    """The `names` map of a search export, wherever in the file it stands; empty when there is none."""
    kept, begun = b"", False
    for chunk in chunks:
        kept += chunk
        while begun or (match := _NAMES_KEY.search(kept)):
            if not begun and match:
                kept = kept[match.end() - 1 :]
            end = _FLAT_OBJECT.match(kept).end()  # type: ignore[union-attr]
            begun = len(kept) <= _MAX_NAMES_BYTES and kept[end : end + 1] in (b"", b'"')
            if begun:
                break
            if found := _names_in(kept[: end + 1]):
                return found
            kept = kept[1:]
        if not begun:
            kept = kept[-64:]
    return {}


def _names_in(raw: bytes) -> dict[str, str]:
    try:
        return _texts(json.loads(raw))
    except (ValueError, RecursionError):
        return {}


def _links(links: object) -> Record:
    found: dict[LinkKind, list[str]] = {"duplicate_of": [], "cloned_from": []}
    for link in links if isinstance(links, list) else []:
        kind = _of(link, "type")
        for side, wording in (("outwardIssue", "outward"), ("inwardIssue", "inward")):
            other = _label(_of(_of(link, side), "key"))
            said = link_kind(_label(kind) or "", _label(_of(kind, wording)) or "", outward=wording == "outward")
            if other and said and other not in found[said]:
                found[said].append(other)
    kept: Record = {"duplicate_of": found["duplicate_of"]}
    return kept | {"cloned_from": found["cloned_from"]} if found["cloned_from"] else kept


def _note(fields: Record) -> str | None:
    comments = _of(fields.get("comment"), "comments")
    try:
        resolved = parse_moment(fields.get("resolutiondate"))
    except ValueError:
        return None
    reporter = person(fields.get("reporter"))
    found = comments if isinstance(comments, list) else []
    return closing_note(map(_comment, filterfalse(_is_restricted, found)), {reporter} if reporter else set(), resolved)


def _is_restricted(comment: object) -> bool:
    """Whether only a group or the service desk's agents may read it: such text is not remembered for everybody."""
    return bool(_of(comment, "visibility")) or _of(comment, "jsdPublic") is False


def _comment(comment: object) -> Comment:
    try:
        created = parse_moment(_of(comment, "created"))
    except ValueError:
        created = None
    return Comment(created, person(_of(comment, "author")), text_of_body(_of(comment, "body")))


def _severity(fields: Record, names: Names) -> str | None:
    """A field called exactly `severity` wins over, say, `Customer severity`."""
    named = sorted((names.get(key, key), key) for key in fields if is_severity(names.get(key, key)))
    for _, key in sorted(named, key=lambda pair: (len(pair[0]), pair)):
        if found := _label(fields[key]):
            return found
    return None


def _own_fields(fields: Record, names: Names, taken: Record) -> Record:
    """The site's own fields that hold something readable, under the name people see."""
    kept: Record = {}
    for key, value in fields.items():
        if key in _READ or key in _BOOKKEEPING or value in (None, "", [], {}):
            continue
        shown = _readable(value)
        name = names.get(key, key)
        if shown is not None and name not in taken and name.casefold() != "severity":
            kept[name] = shown
    return kept


def _readable(value: object) -> object | None:
    if isinstance(value, bool | int | float):
        return value
    if isinstance(value, list):
        return _labels(value) or None
    text = text_of_body(value) if _of(value, "type") == "doc" else _label(value)
    return text[:_KEPT_CHARS] if text else None


def _labels(values: object) -> list[str]:
    found = [_label(value) for value in values] if isinstance(values, list) else []
    return [value for value in found if value]


def _label(value: object) -> str | None:
    """What Jira shows for a value: the text itself, or the name, value or display name of an object."""
    if isinstance(value, dict):
        return next((found for name in ("name", "value", "displayName") if (found := _label(value.get(name)))), None)
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return value if isinstance(value, str) and value else None


def _of(value: object, key: str) -> object:
    return cast("Record", value).get(key) if isinstance(value, dict) else None


def _texts(value: object) -> dict[str, str]:
    return {key: text for key, text in value.items() if isinstance(text, str)} if isinstance(value, dict) else {}
