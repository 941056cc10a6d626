"""Saying once, in a private comment, that a field which a person set may be wrong. The field itself is never written.

That it was said is kept as an issue property, apart from the comment: who deletes the comment, or has it taken back, does not
hear it again.
"""

from collections.abc import Mapping
from typing import Any

from qa_agents.errors import ConflictError
from qa_agents.storage.canonical import digest_of
from qa_agents.trackers.jira_issue import PREFIX, Snapshot
from qa_agents.trackers.jira_json import Json, items, table, text
from qa_agents.trackers.jira_requests import Plan, Write
from qa_agents.trackers.schema import Action, Applied

MAX_CHALLENGED = 200
"""Values of one field of one issue; then nothing more is said about it, because what was said must all be remembered."""


def challengeable(now: Snapshot) -> list[str]:
    """Our names of the fields whose value, one text, a person set and nobody has challenged yet."""
    return [name for name, value in now.view["fields"].items() if isinstance(value, str) and _is_open(now, name, value)]


def record_challenge(action: Action, now: Snapshot, op: str, planned: Plan | Applied) -> Plan | Applied:
    """The comment `planned` for a challenge, with the note before it that it was said; nothing when it was said before.

    Raises ConflictError when the field holds something else by now, or what we wrote ourselves.
    """
    if isinstance(planned, Applied):
        return planned
    challenged: Mapping[str, Any] = action.params["challenges"]
    name, value = str(challenged["field"]), str(challenged["value"])
    key, said = _key(name), _said(now, name)
    mark = table(now.marks, key)
    token = _token(value)
    if token in said:
        # Ours, and the comment is missing: the answer was lost between the two.
        return planned if text(mark, "by") == op else Applied()
    if len(said) >= MAX_CHALLENGED:
        return Applied()
    if now.view["fields"].get(name) != value or _is_ours(now, name, value):
        raise ConflictError(
            f"{name} of {action.target} is not what it was when it was doubted; nothing is said about it."
        )
    body: Json = {"v": 1, "by": op, "values": [*said, token]}
    note = Write("PUT", f"/rest/api/2/issue/{now.id}/properties/{key}", body)
    return Plan([note, *planned.writes], planned.settled)


def _is_open(now: Snapshot, name: str, value: str) -> bool:
    said = _said(now, name)
    return not _is_ours(now, name, value) and _token(value) not in said and len(said) < MAX_CHALLENGED


def _is_ours(now: Snapshot, name: str, value: str) -> bool:
    return table(now.marks, f"{PREFIX}field.{name}").get("after") == value


def _said(now: Snapshot, name: str) -> list[str]:
    return [str(one) for one in items(table(now.marks, _key(name)), "values")]


def _key(name: str) -> str:
    return f"{PREFIX}challenge.{name}"


def _token(value: str) -> str:
    return digest_of(value.casefold())[:16]
