"""An issue as Jira holds it, read into the plain form that every tracker shares, with the marks of our own changes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from qa_agents.errors import InvalidInputError
from qa_agents.settings import JiraSettings
from qa_agents.storage.canonical import digest_of
from qa_agents.trackers.jira_fields import WATCHED, FieldMap
from qa_agents.trackers.jira_json import Json, at, items, table, text
from qa_agents.trackers.jira_text import plain
from qa_agents.trackers.schema import Issue

MARK = "qa-agents.triage"
"""Key of the property on our own comments: {v, ops, state, was}."""
PREFIX = "qa-agents."
"""Our properties on issues begin so: one for each place that we change, {v, op, …}."""
BORN = "qa-agents-"
"""Labels that begin so say which report an issue was created for; they are not shown as labels."""
MAX_COMMENTS = 1_000
"""The newest that are read."""


@dataclass(frozen=True)
class Snapshot:
    """One issue at one moment."""

    id: str
    key: str
    view: dict[str, Any]
    """`fields`, `labels`, `comments`, `links`, as trackers.changes has them."""
    raw: Mapping[str, Json]
    """Jira's own fields."""
    marks: Mapping[str, Json]
    """Our issue properties."""
    comments: Mapping[str, Json] = field(default_factory=dict)
    """Every comment as Jira gives it, by id; withdrawn ones too."""
    link_ids: Mapping[tuple[str, str], str] = field(default_factory=dict)
    """(to, relation) to the link's id."""

    @property
    def version(self) -> str:
        """Moves with whatever a person would notice; not with votes, boards, or our own marks."""
        watched = {name: self.raw.get(name) for name in WATCHED}
        return digest_of([self.view, [text(one, "id") for name in WATCHED for one in items(watched, name)]])[:16]

    def issue(self, key: str) -> Issue:
        """The issue under the name it was asked by."""
        return Issue(key=key, version=self.version, **self.view)


def snapshot(answer: Json, comments: Sequence[Json], fields: FieldMap, settings: JiraSettings) -> Snapshot:
    """Put together what GET issue (with all properties) and GET comment answered."""
    raw, number = table(answer, "fields"), text(answer, "id") or ""
    if not (number.isascii() and number.isdigit()):  # it becomes part of the addresses that are written to
        raise InvalidInputError("Jira answered with an issue that has no proper id.")
    shown = sorted(comments, key=lambda one: int(text(one, "id") or "0") if (text(one, "id") or "").isdigit() else 0)
    linked = [link for entry in items(raw, "issuelinks") if (link := _link(entry, settings.link_types))]
    view: dict[str, Any] = {
        "fields": fields.shown(raw),
        "labels": sorted(str(label) for label in items(raw, "labels") if not str(label).startswith(BORN)),
        "comments": [_comment(one, settings) for one in shown if not is_withdrawn(one)],
        "links": [{"to": to, "relation": relation} for to, relation, _ in sorted(linked)],
    }
    return Snapshot(
        id=number,
        key=text(answer, "key") or "",
        view=view,
        raw=raw,
        marks={name: value for name, value in table(answer, "properties").items() if name.startswith(PREFIX)},
        comments={text(one, "id") or "": one for one in comments},
        link_ids={(to, relation): number for to, relation, number in linked},
    )


def mark_of(comment: Json) -> Mapping[str, Json]:
    """Our mark on a comment; empty when it is not ours."""
    return next((table(one, "value") for one in items(comment, "properties") if text(one, "key") == MARK), {})


def is_withdrawn(comment: Json) -> bool:
    """Whether we took this comment of ours back."""
    return text(mark_of(comment), "state") == "withdrawn"


def is_public(comment: Json, settings: JiraSettings) -> bool:
    """Whether whoever sees the issue can read the comment; with Service Management, its customers."""
    if at(comment, "visibility") is not None:
        return False
    internal = next(
        (at(p, "value", "internal") for p in items(comment, "properties") if text(p, "key") == INTERNAL), None
    )
    return (
        at(comment, "jsdPublic") is not False if internal is None or not settings.jsm_internal else internal is not True
    )


INTERNAL = "sd.public.comment"
"""Service Management's own property: {internal: true} makes a note for agents."""


def relation_of(type_name: str, types: Mapping[str, str], wording: str) -> str:
    """Our relation for a link of this type whose subject is the issue; the site's wording where several share the type."""
    named = [relation for relation, name in types.items() if name.casefold() == type_name.casefold()]
    return named[0] if len(named) == 1 else wording


def _comment(comment: Json, settings: JiraSettings) -> dict[str, Any]:
    number = text(comment, "id") or "0"
    words = plain(at(comment, "body"))
    return {"id": int(number) if number.isdigit() else number, "public": is_public(comment, settings), "text": words}


def _link(entry: Json, types: Mapping[str, str]) -> tuple[str, str, str] | None:
    """(other issue, relation, link id). `outwardIssue` in the answer: this issue is the subject (inward) of the link."""
    name, number = text(entry, "type", "name") or "", text(entry, "id") or ""
    if other := text(entry, "outwardIssue", "key"):
        return other, relation_of(name, types, text(entry, "type", "outward") or name), number
    if other := text(entry, "inwardIssue", "key"):
        return other, text(entry, "type", "inward") or name, number
    return None
