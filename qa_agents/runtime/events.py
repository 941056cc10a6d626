"""What a delivery says: bytes from a tracker to the one thing trusted in them, which issue to look at. Pure functions.

Nothing else of a body is used: the issue is read again, at the address that is configured, by whoever handles the job.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import orjson

MAX_AGE_SECONDS = 24 * 3600.0
"""An older body is a replay; a tracker's own retries end after some 75 minutes."""
_ISSUE_EVENTS = frozenset({
    "jira:issue_created", "jira:issue_updated", "jira:issue_deleted", "comment_created", "comment_updated", "comment_deleted",
})  # fmt: skip
_ID = re.compile(r"[0-9]{1,19}", re.ASCII)
_KEY = re.compile(r"[A-Z][A-Z0-9_]{0,60}-[0-9]{1,12}", re.ASCII)
_COMMENT_SELF = re.compile(r"/issue/([0-9]{1,19})/comment/", re.ASCII)
_NAMING = ("issue", "issueKey", "issue_key", "issueId", "issue_id", "key", "id")
"""Where an automation's own body may name the issue."""

Kind = Literal["webhook", "automation"]


class UnreadableError(ValueError):
    """The delivery is no event that can be understood; the message is one clause that says why."""


@dataclass(frozen=True, slots=True)
class Event:
    """What is trusted of a delivery."""

    issue: str
    """Its id where the body has one (a moved issue keeps it), else its key."""
    key: str | None = None
    name: str = ""
    actor: str | None = None
    """The account that caused it, where the body says so."""
    sent_at: float | None = None
    """Seconds since the epoch, by the sender's clock."""
    identity: str | None = None
    """The same for every notice of one and the same change; None where the body has nothing to tell by."""


@dataclass(frozen=True, slots=True)
class Route:
    """What is to be done about a delivery."""

    state: Literal["routed", "ignored", "dead"]
    reason: str | None = None
    event: Event | None = None


def decide(
    kind: Kind,
    body: bytes,
    received_at: float,
    *,
    own_accounts: frozenset[str] = frozenset(),
    projects: frozenset[str] = frozenset(),
    replayed: bool = False,
) -> Route:
    """Where a delivery goes. Never raises: what cannot be read is dead, with its reason."""
    try:
        event = read_event(kind, body)
    except UnreadableError as problem:
        return Route("dead", str(problem))
    if event.sent_at is not None and received_at - event.sent_at > MAX_AGE_SECONDS and not replayed:
        return Route("dead", f"it was {(received_at - event.sent_at) / 3600:.0f} hours old when it came", event)
    if kind == "webhook" and event.name not in _ISSUE_EVENTS:
        return Route("ignored", f"{event.name} changes no report", event)
    if event.actor is not None and event.actor in own_accounts:
        return Route("ignored", "our own account caused it", event)
    if projects and event.key and event.key.rpartition("-")[0] not in projects:
        return Route("ignored", f"{event.key} is in no watched project", event)
    return Route("routed", None, event)


def read_event(kind: Kind, body: bytes) -> Event:
    """The event in a body. Raises UnreadableError."""
    if not body.strip():
        raise UnreadableError("it is empty")
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise UnreadableError(f"it is no strict JSON ({str(error)[:120]})") from None
    except RecursionError:
        raise UnreadableError("it is nested too deeply") from None
    if not isinstance(found, dict):
        raise UnreadableError(f"it is a JSON {type(found).__name__}, not an object")
    return _webhook(found) if kind == "webhook" else _automation(found)


def _webhook(body: Mapping[str, Any]) -> Event:
    name = body.get("webhookEvent")
    if not isinstance(name, str) or not name or len(name) > 100 or not name.isprintable():
        raise UnreadableError("it names no event (`webhookEvent`)")
    issue, comment, changelog = _object(body, "issue"), _object(body, "comment"), _object(body, "changelog")
    stamp = body.get("timestamp")
    # Not every number is a moment: 1e400 is infinite, and true is 1.
    sent = stamp / 1000 if isinstance(stamp, int | float) and not isinstance(stamp, bool) and 0 < stamp < 1e14 else None
    common: dict[str, Any] = {"name": name, "actor": _actor(body, comment), "sent_at": sent}
    if name not in _ISSUE_EVENTS:
        return Event(issue="", **common)
    id_, key = _id_of(issue), _key_of(issue)
    if id_ is None and key is None:
        match = _COMMENT_SELF.search(_text(comment.get("self")) or "")
        if match is None:
            raise UnreadableError("it names no issue")
        id_ = match[1]
    change = _text(changelog.get("id"))
    if change is None and _text(comment.get("id")):
        change = f"{_text(comment.get('id'))}@{_text(comment.get('updated')) or sent}"
    identity = f"{name}/{change}" if change else (f"{name}@{stamp}" if sent else None)
    return Event(issue=id_ or key or "", key=key, identity=identity, **common)


def _automation(body: Mapping[str, Any]) -> Event:
    """An automation's body: `{"issue": {…}}`, the issue itself, or the team's own object that names one."""
    issue = body.get("issue")
    for candidate in (issue if isinstance(issue, dict) else {}, body):
        id_, key = _id_of(candidate), _key_of(candidate)
        if (id_ and key) or (id_ and isinstance(candidate.get("fields"), dict)):
            return Event(issue=id_, key=key, name="automation")
    for name in _NAMING:
        said = _text(body.get(name)) or ""
        if _KEY.fullmatch(said):
            return Event(issue=said, key=said, name="automation")
        if _ID.fullmatch(said) and name != "id":
            return Event(issue=said, name="automation")
    raise UnreadableError("it names no issue")


def _actor(body: Mapping[str, Any], comment: Mapping[str, Any]) -> str | None:
    for person in (_object(body, "user"), _object(comment, "updateAuthor"), _object(comment, "author")):
        for name in ("accountId", "key", "name"):
            said = _text(person.get(name))
            if said:
                return said
    return None


def _object(body: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = body.get(name)
    return value if isinstance(value, dict) else {}


def _id_of(issue: Mapping[str, Any]) -> str | None:
    said = _text(issue.get("id")) or ""
    return said if _ID.fullmatch(said) else None


def _key_of(issue: Mapping[str, Any]) -> str | None:
    said = _text(issue.get("key")) or ""
    return said if _KEY.fullmatch(said) else None


def _text(value: object) -> str | None:
    """A short text, or a number as one."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return value if isinstance(value, str) and 0 < len(value) <= 2_000 and value.isprintable() else None
